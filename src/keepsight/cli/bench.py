"""`keepsight bench`: methods compared over data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keepsight.cli.options import DeviceOption, DtypeOption, JsonOption
from keepsight.cli.output import complain, emit, make_console, wants_json
from keepsight.errors import KeepsightError, SettingError

if TYPE_CHECKING:
    from keepsight.bench.experiments import Experiment
    from keepsight.bench.records import DataSet
    from keepsight.bench.results import Results
    from keepsight.bench.runner import Failure, RunSettings
    from keepsight.bench.scoring import Scorer

bench = typer.Typer(help="Compare methods over data sets.", no_args_is_help=True)

PAPER_TOY = "paper-toy"


@bench.command()
def run(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="paper-toy, or a data set (see `keepsight bench list`).")
    ] = PAPER_TOY,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where a published data set lies.")] = None,
    experiment: Annotated[list[str] | None, typer.Option(help="Only this experiment; may be repeated.")] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Instead of experiments, a method such as captions:retention=0.12; repeat.")
    ] = None,
    videos: Annotated[int, typer.Option(help="Number of toy videos.")] = 8,
    minutes: Annotated[float, typer.Option(help="Length of each toy video.")] = 8.0,
    difficulty: Annotated[str, typer.Option(help="Of the toy world: easy, default or hard.")] = "default",
    ask_minutes: Annotated[
        str, typer.Option(help="Ask about toy videos at these minutes only, such as 10,60,600.")
    ] = "",
    questions: Annotated[int, typer.Option(help="Questions of each kind about a toy video.")] = 2,
    model: Annotated[str, typer.Option(help="Bundled name, folder or Hugging Face id.")] = "tiny",
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    processes: Annotated[int | None, typer.Option(help="Videos at a time; all cores when not given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results, tables and plots.")] = Path("bench"),
    judge_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address that judges open answers.", metavar="URL")
    ] = None,
    judge_model: Annotated[str, typer.Option(help="The judge's name there, or `local`: the model itself.")] = "",
    judge_key_variable: Annotated[str, typer.Option(help="Environment variable with the key.")] = "OPENAI_API_KEY",
    judge_prompt: Annotated[Path | None, typer.Option(help="File with the judge's prompt.")] = None,
    json: JsonOption = None,
) -> None:
    """Run experiments over a data set: tables with paired intervals, plots, and every answer in one file."""
    from keepsight.bench.runner import RunSettings
    from keepsight.bench.runner import run as run_methods

    data_set = _data_set(data, folder, difficulty, videos, minutes, ask_minutes, questions)
    settings = RunSettings(model, device, dtype, _num_processes(processes, device), out / "cache")
    experiments = _experiments(settings, experiment, method)
    scorer = _scorer(data_set, settings, judge_url, judge_model, judge_key_variable, judge_prompt)
    console = None if wants_json(json) else make_console()
    from keepsight.bench.methods import make_method

    methods = {text: make_method(text) for each in experiments for text in each.rows.values()}
    with _progress(console) as bar:
        task = bar.add_task(f"{len(methods)} methods, {len(data_set.videos)} videos", total=len(data_set.videos))
        results, failures = run_methods(
            data_set,
            methods,
            scorer,
            settings,
            lambda done, of: bar.update(task, completed=done, total=of),
            scoring_threads=1 if judge_url is None else 8,
        )
    _report(console, out, results, data_set, experiments, failures)


@bench.command()
def score(
    benchmark: Annotated[str, typer.Argument(help="ovobench, streamingbench, nextqa, cgbench or keepsight.")],
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A results file of that benchmark.")],
    model: Annotated[str | None, typer.Option(help="Whose replies, where a file holds those of several.")] = None,
    json: JsonOption = None,
) -> None:
    """Score a results file again by the benchmark's own rules."""
    from keepsight.bench.scoring.official import score_file

    table = score_file(benchmark, results, model=model)
    if wants_json(json):
        for row in table.rows:
            emit("score", group=row.group, task=row.task, accuracy=row.accuracy, num_questions=row.num_questions)
        emit("overall", accuracy=table.overall, mean_of_tasks=table.mean_of_tasks, num_skipped=table.num_skipped)
        return
    console = make_console()
    for row in table.rows:
        console.print(f"{row.group:<12}{row.task:<28}{row.accuracy:7.1%}{row.num_questions:>8,}", markup=False)
    console.print(f"{'overall':<40}{table.overall:7.1%}", markup=False)


@bench.command("list")
def list_all() -> None:
    """List data sets, experiments and methods."""
    from keepsight.bench.datasets import DATASETS
    from keepsight.bench.experiments import EXPERIMENTS
    from keepsight.bench.methods import METHODS

    console = make_console()
    console.print(f"data sets    {PAPER_TOY}, {', '.join(DATASETS)}", markup=False)
    console.print(f"experiments  {', '.join(EXPERIMENTS)}", markup=False)
    console.print(f"methods      {', '.join(METHODS)}", markup=False)


def _data_set(
    name: str, folder: Path | None, difficulty: str, videos: int, minutes: float, ask_minutes: str, questions: int
) -> "DataSet":
    from keepsight.bench.datasets import load_dataset
    from keepsight.bench.datasets.toyworld import ToyWorldSettings, make_toyworld

    if name != PAPER_TOY:
        if folder is None:
            raise SettingError(f"{name} is read from a folder: give it with --folder; {PAPER_TOY} needs none")
        return load_dataset(name, folder)
    if folder is not None:
        raise SettingError(f"{PAPER_TOY} is made, not read: leave --folder out")
    try:
        times = tuple(float(text) for text in ask_minutes.split(",") if text.strip())
    except ValueError:
        raise SettingError(f"ask_minutes are numbers with commas between them, not {ask_minutes!r}") from None
    return make_toyworld(ToyWorldSettings(difficulty, videos, minutes, questions_per_kind=questions, ask_minutes=times))


def _num_processes(asked: int | None, device: str | None) -> int:
    """All cores for a model on the CPU; one process where a GPU does the work."""
    import os

    from keepsight.models.devices import choose_device

    if asked is not None:
        return asked
    return (os.cpu_count() or 1) if choose_device(device).type == "cpu" else 1


def _experiments(
    settings: "RunSettings", names: list[str] | None, methods: list[str] | None
) -> "tuple[Experiment, ...]":
    from keepsight.bench.experiments import Experiment, make_experiments
    from keepsight.models.loading import load_model

    if methods:
        if names:
            raise SettingError("give either --experiment or --method, not both")
        rows = {text: text for text in methods}
        return (Experiment("methods", "Methods", rows, methods[0]),)
    info = load_model(settings.model, device=settings.device, dtype=settings.dtype).info
    return make_experiments(tuple(names or ()), info)


def _scorer(
    data_set: "DataSet",
    settings: "RunSettings",
    url: str | None,
    model: str,
    key_variable: str,
    prompt: Path | None,
) -> "Scorer":
    from keepsight.bench.scoring import make_scorer

    if data_set.scoring != "judge":
        return make_scorer(data_set.scoring)
    if url is None and model != "local":
        raise SettingError(f"answers of {data_set.name} are judged: give --judge-url and --judge-model, or `local`")
    from keepsight.bench.scoring.endpoint import Endpoint
    from keepsight.bench.scoring.judge import TEMPLATE, Judge, LocalJudge
    from keepsight.models.loading import load_model

    template = TEMPLATE if prompt is None else prompt.read_text(encoding="utf-8")
    if url is None:
        return make_scorer(
            "judge", LocalJudge(load_model(settings.model, device=settings.device, dtype=settings.dtype), template)
        )
    return make_scorer("judge", Judge(Endpoint(url, api_key_variable=key_variable), model, template))


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


def _report(
    console: Console | None,
    out: Path,
    results: "Results",
    data_set: "DataSet",
    experiments: "tuple[Experiment, ...]",
    failures: "list[Failure]",
) -> None:
    from keepsight.bench.output import ConsoleTable
    from keepsight.bench.reporting import write_report

    try:
        out.mkdir(parents=True, exist_ok=True)
        results.save(out / "results.json")
        chapters = write_report(out, results, data_set, experiments)
    except OSError as error:
        raise KeepsightError(f"cannot write into {out}: {error.strerror or error}") from error
    for failure in failures:
        complain(f"no answers about {failure.video_id}: {failure.reason}")
    if console is None:
        emit("results", path=str(out / "results.json"), report_path=str(out / "report.md"))
        return
    for chapter in chapters:
        console.print(ConsoleTable(chapter.tables[0]))
    console.print(f"tables, plots and all answers: {out / 'report.md'}", markup=False)
