"""The plots of one experiment."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from keepsight.bench.chapter_tables import ChapterTables
from keepsight.bench.datasets.toyworld import knows_truth
from keepsight.bench.experiments import FIFO_OF_MORE, FULL, Experiment, Plot
from keepsight.bench.output import Table, line_plot
from keepsight.bench.over_time import accuracy_by_age, accuracy_by_gap, accuracy_by_length, latency_by_age
from keepsight.bench.records import DataSet
from keepsight.bench.results import Results
from keepsight.bench.tabulate import make_curves

GAP_ROWS = {
    "memory": ("FIFO of 0", "FIFO of 1", "FIFO of 4", "FIFO of 16"),
    "policies": ("FIFO", "newest", "stream-medoids", FIFO_OF_MORE),
}
"""Rows of experiments to plot over the gap."""

AGE_METHODS = (FULL, "kv-retrieval", "uniform-frames")
"""Methods to plot over time."""

LENGTH_ROWS = (
    "MMR 0.5",
    "MMR among all captions",
    "similarity",
    "visual-token similarity",
    "recency",
    "random",
    "blind",
)
"""Retrieval methods to plot over video length."""

Drawn = Iterator[tuple[str, str]]
"""Titles and file names of plots."""


def draw_plots(
    folder: Path, results: Results, data_set: DataSet, experiment: Experiment, tables: ChapterTables, *, seed: int = 0
) -> Drawn:
    """Draw an experiment's plots.

    Raises:
        SettingError: matplotlib is not installed.
        OSError: writing failed.
    """
    if experiment.plot is not None:
        yield from _over_number(
            folder / f"{experiment.name}.png", experiment.plot, tables.answers, "accuracy of answers"
        )
        if tables.past is not None:
            path = folder / f"{experiment.name}-captions.png"
            yield from _over_number(path, experiment.plot, tables.past, "accuracy of captions")
    if experiment.name in GAP_ROWS and knows_truth(data_set):
        yield from _over_gap(folder, results, data_set, experiment, seed)
    if experiment.name == "retrieval":
        yield from _over_length(folder, results, experiment.rows, seed)
    if experiment.name == "overview":
        yield from _over_age(folder, results, experiment.rows, seed)


def _over_number(path: Path, plot: Plot, table: Table, y_label: str) -> Drawn:
    """Table rows over the number in which they differ."""
    curves = make_curves(plot, table)
    if curves:
        ticks = [x for x, _ in next(iter(plot.curves.values()))]
        line_plot(
            path,
            table.title,
            plot.x_label,
            y_label,
            curves,
            x_log=plot.log,
            x_percent=plot.percent,
            x_ticks=ticks,
            y_percent=True,
            caption=table.caption,
        )
        yield table.title, path.name


def _over_gap(folder: Path, results: Results, data_set: DataSet, experiment: Experiment, seed: int) -> Drawn:
    methods = {label: experiment.rows[label] for label in GAP_ROWS[experiment.name] if label in experiment.rows}
    curves = accuracy_by_gap(data_set, results, methods, seed)
    if curves:
        path, title = folder / f"{experiment.name}-gap.png", "Accuracy of memory-only clauses by gap to the evidence"
        line_plot(path, title, "gap to bridge, clips", "accuracy of captions", curves, y_percent=True)
        yield title, path.name


def _over_length(folder: Path, results: Results, rows: Mapping[str, str], seed: int) -> Drawn:
    curves = accuracy_by_length(results, {label: rows[label] for label in LENGTH_ROWS if label in rows}, seed)
    if curves:
        path, title = folder / "retrieval-length.png", "Accuracy as the video grows"
        log = min(curves[0].x) > 0
        line_plot(
            path,
            title,
            "minutes of video before the question",
            "accuracy of answers",
            curves,
            x_log=log,
            y_percent=True,
        )
        yield title, path.name


def _over_age(folder: Path, results: Results, rows: Mapping[str, str], seed: int) -> Drawn:
    shown = {label: method for label, method in rows.items() if method in AGE_METHODS}
    accuracy = accuracy_by_age(results, shown, seed)
    if accuracy:
        path, title = folder / "accuracy-age.png", "Accuracy by age of the evidence"
        line_plot(path, title, "minutes since the evidence", "accuracy of answers", accuracy, y_percent=True)
        yield title, path.name
    latency = latency_by_age(results, shown)
    if latency:
        path, title = folder / "latency-age.png", "Answer latency by stream length"
        line_plot(path, title, "minutes of video before the question", "seconds", latency)
        yield title, path.name
