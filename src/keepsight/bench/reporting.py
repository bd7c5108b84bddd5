"""The files of a run: for each experiment its tables and plots, and one page that holds them all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keepsight.bench.datasets.toyworld import ToySource
from keepsight.bench.experiments import FULL, Experiment
from keepsight.bench.output import Curve, Table, as_markdown, line_plot, save_tables
from keepsight.bench.over_time import accuracy_by_age, accuracy_by_gap, latency_by_age
from keepsight.bench.records import DataSet
from keepsight.bench.results import Results
from keepsight.bench.tabulate import make_curves, make_table, scored_answers
from keepsight.bench.toy_captions import past_scores, scored_captions
from keepsight.whole_file import write_whole

GAP_ROWS = ("FIFO of 0", "FIFO of 1", "FIFO of 4", "FIFO of 16")
"""Lengths of memory that are drawn over the gap to bridge."""


@dataclass(frozen=True)
class Chapter:
    """What came of one experiment.

    Attributes:
        experiment: its rows.
        tables: answers first, then answers by task, then captions where their truth is known.
        plots: titles and file names of the plots.
    """

    experiment: Experiment
    tables: tuple[Table, ...]
    plots: tuple[tuple[str, str], ...]


def write_report(
    folder: Path, results: Results, data_set: DataSet, experiments: Sequence[Experiment], *, seed: int = 0
) -> list[Chapter]:
    """Write tables as Markdown, CSV and JSON and plots as PNG, and `report.md` with all of them.

    Args:
        folder: made when it is missing.
        results: of a run over the data set with all methods of the experiments.
        data_set: was run.
        experiments: become chapters.
        seed: of the bootstrap.

    Raises:
        SettingError: matplotlib is not installed.
        OSError: the disk refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chapters = []
    for experiment in experiments:
        tables = tuple(_tables(results, data_set, experiment, seed))
        for suffix in (".csv", ".json"):
            save_tables(folder / f"{experiment.name}{suffix}", tables)
        plots = tuple(_plots(folder, results, data_set, experiment, tables, seed))
        chapters.append(Chapter(experiment, tables, plots))
    page = "\n\n".join([_head(results), *map(_chapter, chapters)]) + "\n"
    write_whole(folder / "report.md", page.encode())
    return chapters


def _tables(results: Results, data_set: DataSet, experiment: Experiment, seed: int) -> Iterator[Table]:
    caption = f"{results.data_set}, {len(data_set.videos)} videos, model {results.environment['model']}"
    yield make_table(
        experiment, experiment.title, caption, lambda method: scored_answers(results.of(method)), seed=seed
    )
    yield make_table(
        experiment,
        f"{experiment.title}: by kind of question",
        caption,
        lambda method: scored_answers(results.of(method), by_task=True),
        seed=seed,
    )
    if _knows_truth(data_set) and any(results.captions_of(method) for method in experiment.rows.values()):
        yield make_table(
            experiment,
            f"{experiment.title}: what captions say, right to the letter",
            f"{caption}; each thing that happens counts for itself",
            lambda method: scored_captions(data_set, results.captions_of(method)),
            seed=seed,
        )
        yield make_table(
            experiment,
            f"{experiment.title}: what only memory can tell",
            f"{caption}; clauses of captions, right to the letter",
            lambda method: past_scores(data_set, results.captions_of(method)),
            seed=seed,
        )


def _plots(
    folder: Path,
    results: Results,
    data_set: DataSet,
    experiment: Experiment,
    tables: Sequence[Table],
    seed: int,
) -> Iterator[tuple[str, str]]:
    """Draw what the experiment has to show; gives titles and file names."""
    plot = experiment.plot
    if plot is not None:
        curves = make_curves(plot, tables[0])
        path = folder / f"{experiment.name}.png"
        line_plot(
            path, experiment.title, plot.x_label, "right answers", curves,
            x_log=plot.log, x_percent=plot.percent, x_ticks=[x for x, _ in next(iter(plot.curves.values()))],
            y_percent=True, caption=tables[0].caption,
        )  # fmt: skip
        yield experiment.title, path.name
    if experiment.name == "memory" and _knows_truth(data_set):
        methods = {label: experiment.rows[label] for label in GAP_ROWS if label in experiment.rows}
        curves = accuracy_by_gap(data_set, results, methods, seed)
        if curves:
            path = folder / "memory-gap.png"
            title = "What only memory can tell, by how far back it was seen"
            line_plot(path, title, "gap to bridge, clips", "said in the caption", curves, y_percent=True)
            yield title, path.name
    if experiment.name == "overview":
        yield from _over_age(folder, results, experiment.rows, seed)


def _over_age(folder: Path, results: Results, rows: Mapping[str, str], seed: int) -> Iterator[tuple[str, str]]:
    shown = {label: method for label, method in rows.items() if method in (FULL, "kv-retrieval", "uniform-frames")}
    drawn: list[tuple[str, str, str, Callable[..., list[Curve]], bool]] = [
        ("accuracy-age", "Right answers by the age of the evidence", "right answers", accuracy_by_age, True),
        ("latency-age", "Time of answering by the age of the stream", "seconds", latency_by_age, False),
    ]
    for name, title, y_label, make, percent in drawn:
        curves = make(results, shown, seed)
        if curves:
            path = folder / f"{name}.png"
            x_label = "minutes since the evidence" if percent else "minutes of video before the question"
            line_plot(path, title, x_label, y_label, curves, y_percent=percent)
            yield title, path.name


def _knows_truth(data_set: DataSet) -> bool:
    return all(isinstance(video.source, ToySource) for video in data_set.videos)


def _head(results: Results) -> str:
    environment = results.environment
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    return (
        f"# {results.data_set}\n\n{environment['model']} ({environment['num_parameters']:,} parameters, "
        f"{environment['dtype']}) on {environment['device']}, {environment['date']}; {versions}.\n\n"
        f"Data: `{results.data_settings}`. Scoring: `{results.scoring}`."
    )


def _chapter(chapter: Chapter) -> str:
    tables = [as_markdown(table) for table in chapter.tables]
    plots = [f"![{title}]({name})" for title, name in chapter.plots]
    return "\n\n".join([f"## {chapter.experiment.title}", *tables, *plots])
