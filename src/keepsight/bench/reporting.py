"""Files of a run: tables and plots per experiment, and one page with all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keepsight.bench.chapter_plots import draw_plots
from keepsight.bench.chapter_tables import ChapterTables, make_tables
from keepsight.bench.experiments import Experiment
from keepsight.bench.output import as_markdown, save_tables
from keepsight.bench.output.markdown import escaped
from keepsight.bench.records import DataSet
from keepsight.bench.results import Results
from keepsight.whole_file import write_whole


@dataclass(frozen=True)
class Chapter:
    """Output of one experiment.

    Attributes:
        experiment: its rows.
        tables: of answers, and of captions if the truth is known.
        plots: titles and file names of the plots.
    """

    experiment: Experiment
    tables: ChapterTables
    plots: tuple[tuple[str, str], ...]


def write_report(
    folder: Path,
    results: Results,
    data_set: DataSet,
    experiments: Sequence[Experiment],
    *,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> list[Chapter]:
    """Write tables as Markdown, CSV and JSON and plots as PNG, and `report.md` with all of them.

    Args:
        folder: created if missing.
        results: results with all methods of the experiments.
        data_set: the data set.
        experiments: become chapters.
        notes: lines below the head of the page.
        seed: of the intervals.

    Raises:
        SettingError: matplotlib is not installed.
        OSError: writing failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chapters = []
    for experiment in experiments:
        tables = make_tables(results, data_set, experiment, seed=seed)
        for suffix in (".csv", ".json"):
            save_tables(folder / f"{experiment.name}{suffix}", tuple(tables))
        plots = tuple(draw_plots(folder, results, data_set, experiment, tables, seed=seed))
        chapters.append(Chapter(experiment, tables, plots))
    page = "\n\n".join([_head(results), *_notes(notes), *map(_chapter, chapters)]) + "\n"
    write_whole(folder / "report.md", page.encode())
    return chapters


def _head(results: Results) -> str:
    environment = results.environment
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    return (
        f"# {results.data_set}\n\n{environment['model']} ({environment['num_parameters']:,} parameters, "
        f"{environment['dtype']}) on {environment['device']}, {environment['date']}; {versions}.\n\n"
        f"Data: `{results.data_settings}`. Scoring: `{results.scoring}`."
    )


def _notes(notes: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {escaped(note)}" for note in notes)] if notes else []


def _chapter(chapter: Chapter) -> str:
    tables = [as_markdown(table) for table in chapter.tables]
    plots = [f"![{title}]({name})" for title, name in chapter.plots]
    return "\n\n".join([f"## {chapter.experiment.title}", *tables, *plots])
