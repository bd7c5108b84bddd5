"""What `keepsight bench run` does with its options: notes before the run, progress, report."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keepsight.cli.bench_options import RunPlan, RunRequest, make_plan
from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.output import complain, emit
from keepsight.errors import KeepsightError

if TYPE_CHECKING:
    from keepsight.bench.results import Results
    from keepsight.bench.runner import Failure

EXIT_INCOMPLETE = 1
"""Some videos have no answers; results of the others are written."""


def perform(request: RunRequest, console: Console | None) -> None:
    """Run what is asked for, and write its results, tables and plots.

    Args:
        request: options of the command.
        console: for progress and tables; None to write JSON lines.

    Raises:
        KeepsightError: an option is invalid, or a file cannot be read or written.
        Stopped: by a signal; finished videos are kept.
        typer.Exit: some videos failed.
    """
    plan = make_plan(request)
    notes = _notes(plan)
    with _made(request.out), _resumable(), _progress(console) as bar:
        results, failures = _run(plan, bar)
    _report(console, request.out, plan, results, failures, notes)
    if failures:
        raise typer.Exit(EXIT_INCOMPLETE)


def _notes(plan: RunPlan) -> list[str]:
    """Print what to know before the run; returns the lines that its report repeats."""
    from keepsight.bench.tabulate import too_few_videos_note
    from keepsight.bench.uncaptioned import uncaptioned_notes

    notes = uncaptioned_notes(plan.data_set, plan.methods)
    too_few = too_few_videos_note(plan.experiments, len(plan.data_set.videos))  # the tables say it, too
    for note in (*notes, *([too_few] if too_few else [])):
        complain(note)
    return notes


def _run(plan: RunPlan, bar: Progress) -> "tuple[Results, list[Failure]]":
    from keepsight.bench.runner import run

    num_videos = len(plan.data_set.videos)
    task = bar.add_task(f"{len(plan.methods)} methods, {num_videos} videos", total=num_videos)
    return run(
        plan.data_set,
        plan.methods,
        plan.scorer,
        plan.settings,
        lambda done, of: bar.update(task, completed=done, total=of),
        scoring_threads=plan.scoring_threads,
    )


@contextmanager
def _resumable() -> Iterator[None]:
    """Turn signals into a stop; whole videos are kept.

    Raises:
        Stopped: a signal came.
    """
    with stop_requests():
        try:
            yield
        except StopRequest as request:
            message = "stopped; run the same command to resume after the last finished video"
            raise Stopped(message, request.signal_number) from None


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console or Console(quiet=True),
        transient=True,
        disable=console is None or not console.is_terminal,
    )


@contextmanager
def _made(out: Path) -> Iterator[None]:
    """Output folder of the block; removed after an error if it was created here and is empty."""
    was_there = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeepsightError(f"cannot write into {out}: {error.strerror or error}") from error
    try:
        yield
    except BaseException:
        if not was_there:
            with suppress(OSError):
                out.rmdir()
        raise


def _report(
    console: Console | None,
    out: Path,
    plan: RunPlan,
    results: "Results",
    failures: "Sequence[Failure]",
    notes: Sequence[str],
) -> None:
    from keepsight.bench.output import ConsoleTable
    from keepsight.bench.reporting import write_report

    try:
        results.save(out / "results.json")
        chapters = write_report(out, results, plan.data_set, plan.experiments, notes=notes)
    except OSError as error:
        raise KeepsightError(f"cannot write into {out}: {error.strerror or error}") from error
    for failure in failures:
        complain(f"no answers about {failure.video_id}: {failure.reason}")
    if console is None:
        emit("results", path=str(out / "results.json"), report_path=str(out / "report.md"))
        return
    for chapter in chapters:
        console.print(ConsoleTable(chapter.tables.answers))
    console.print(f"tables, plots and all answers: {out / 'report.md'}", markup=False)
