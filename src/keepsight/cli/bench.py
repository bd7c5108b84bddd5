"""`keepsight bench`: comparison of methods over data sets."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keepsight.cli.bench_options import (
    PAPER_TOY,
    ToyOptions,
    read_data_set,
    read_experiments,
    read_num_processes,
    read_scorer,
)
from keepsight.cli.bench_power import power
from keepsight.cli.bench_scores import emit_scores, print_scores
from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import DeviceOption, DtypeOption, JsonOption
from keepsight.cli.output import complain, emit, make_console, wants_json
from keepsight.errors import KeepsightError
from keepsight.extras import require_extra

if TYPE_CHECKING:
    from keepsight.bench.experiments import Experiment
    from keepsight.bench.records import DataSet
    from keepsight.bench.results import Results
    from keepsight.bench.runner import Failure

EXIT_INCOMPLETE = 1
"""Some videos have no answers; results of the others are written."""

bench = typer.Typer(help="Compare methods over data sets.")


@bench.command()
def run(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="paper-toy, or a data set (see `keepsight bench list`).")
    ] = PAPER_TOY,
    folder: Annotated[Path | None, typer.Option("--folder", help="Folder of a published data set.")] = None,
    experiment: Annotated[list[str] | None, typer.Option(help="Run only this experiment; repeatable.")] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Run this method instead, such as captions:retention=0.12; repeatable."),
    ] = None,
    videos: Annotated[
        int | None, typer.Option(help="Number of videos; default: 12 toy videos, all videos of a folder.")
    ] = None,
    first_video: Annotated[int, typer.Option(help="Start at this video of the data set, from 0.")] = 0,
    split: Annotated[
        str, typer.Option(help="Part of the toy world: test, on which nothing was tuned, or validation.")
    ] = "test",
    paper: Annotated[
        bool,
        typer.Option(
            "--paper", help="Run as the paper did: its settings and sampling, and its tables unless others are named."
        ),
    ] = False,
    minutes: Annotated[float, typer.Option(help="Length of each toy video.")] = 8.0,
    difficulty: Annotated[
        str,
        typer.Option(
            help="Difficulty of the toy world: easy, default, hard, crowded, cluttered or fast; for evaluation only "
            "long-gaps, changing-looks or unseen."
        ),
    ] = "default",
    question_set: Annotated[
        str, typer.Option(help="Questions about toy videos: general, or memory for those that only memory can answer.")
    ] = "general",
    ask_minutes: Annotated[str, typer.Option(help="Ask only at these minutes of toy videos, such as 10,60,600.")] = "",
    questions: Annotated[int, typer.Option(help="Questions of each kind about a toy video.")] = 2,
    model: Annotated[
        str, typer.Option(help="Bundled name, folder or Hugging Face id, owner/name or owner/name@revision.")
    ] = "tiny",
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    processes: Annotated[int | None, typer.Option(help="Videos processed in parallel; default: all cores.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results, tables and plots.")] = Path("bench"),
    judge_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible endpoint that judges open answers.", metavar="URL")
    ] = None,
    judge_model: Annotated[str, typer.Option(help="Judge's model name, or `local` for the model under test.")] = "",
    judge_key_variable: Annotated[str, typer.Option(help="Environment variable with its API key.")] = "OPENAI_API_KEY",
    judge_prompt: Annotated[
        Path | None, typer.Option(help="File with the judge's prompt; a line `---` may end a system message before it.")
    ] = None,
    judge_setting: Annotated[
        str | None,
        typer.Option(
            help="How the judge is asked and read: keepsight, or rekv as in ReKV's evaluation of RVS, the default of "
            "--paper."
        ),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Run experiments over a data set: tables with paired intervals, plots, and every answer in one file."""
    require_extra("bench", "keepsight bench run")
    from keepsight.bench.methods import make_method
    from keepsight.bench.paper import as_in_paper, paper_run
    from keepsight.bench.runner import RunSettings
    from keepsight.bench.runner import run as run_methods
    from keepsight.bench.tabulate import too_few_videos_note
    from keepsight.bench.uncaptioned import uncaptioned_notes

    toys = ToyOptions(difficulty, minutes, ask_minutes, questions, split, question_set)
    data_set = read_data_set(data, folder, toys, first_video, videos)
    as_paper = paper_run(data_set.name) if paper else None
    data_set = as_in_paper(data_set) if paper else data_set
    settings = RunSettings(model, device, dtype, read_num_processes(processes, device), out / "cache")
    wanted = experiment or (as_paper.experiments if as_paper and not method else ())
    experiments = read_experiments(data_set, settings, wanted, method)
    how = judge_setting or ("rekv" if paper else "keepsight")
    scorer = read_scorer(data_set, settings, judge_url, judge_model, judge_key_variable, judge_prompt, how)
    console = None if wants_json(json) else make_console()
    base = as_paper.settings() if as_paper else None
    methods = {text: make_method(text, base) for each in experiments for text in each.rows.values()}
    notes = uncaptioned_notes(data_set, methods)
    for note in (*notes, too_few_videos_note(experiments, len(data_set.videos))):
        if note is not None:
            complain(note)
    with _made(out), _resumable(), _progress(console) as bar:
        task = bar.add_task(f"{len(methods)} methods, {len(data_set.videos)} videos", total=len(data_set.videos))
        results, failures = run_methods(
            data_set,
            methods,
            scorer,
            settings,
            lambda done, of: bar.update(task, completed=done, total=of),
            scoring_threads=1 if judge_url is None else 8,
        )
    _report(console, out, results, data_set, experiments, failures, notes)
    if failures:
        raise typer.Exit(EXIT_INCOMPLETE)


@bench.command()
def score(
    benchmark: Annotated[str, typer.Argument(help="ovobench, streamingbench, nextqa, cgbench or keepsight.")],
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="A results file of that benchmark, or a folder of them.")
    ],
    model: Annotated[str | None, typer.Option(help="Model name, if the file has several.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="NExT-QA's val.csv or test.csv, which has the types of the questions.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Score results again by the benchmark's own rules: tasks, averages of groups, and the overall score."""
    from keepsight.bench.scoring.official import score_results

    table = score_results(benchmark, results, model=model, annotations=annotations)
    if wants_json(json):
        emit_scores(table)
    else:
        print_scores(make_console(), table)


bench.command()(power)


@bench.command("list")
def list_all() -> None:
    """List data sets, experiments and methods."""
    from keepsight.bench.datasets import DATASET_GROUP
    from keepsight.bench.experiments import EXPERIMENTS
    from keepsight.bench.methods import METHOD_GROUP

    console = make_console()
    console.print(f"data sets    {PAPER_TOY}, {', '.join(DATASET_GROUP.names())}", markup=False)
    console.print(f"experiments  {', '.join(EXPERIMENTS)}", markup=False)
    console.print(f"methods      {', '.join(METHOD_GROUP.names())}", markup=False)


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
    results: "Results",
    data_set: "DataSet",
    experiments: "tuple[Experiment, ...]",
    failures: "list[Failure]",
    notes: list[str],
) -> None:
    from keepsight.bench.output import ConsoleTable
    from keepsight.bench.reporting import write_report

    try:
        results.save(out / "results.json")
        chapters = write_report(out, results, data_set, experiments, notes=notes)
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
