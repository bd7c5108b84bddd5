"""`keepsight bench`: comparison of methods over data sets."""

from pathlib import Path
from typing import Annotated

import typer

from keepsight.cli.bench_judge import JudgeOptions
from keepsight.cli.bench_options import PAPER_TOY, RunRequest, ToyOptions
from keepsight.cli.bench_power import power
from keepsight.cli.bench_run import perform
from keepsight.cli.bench_scores import emit_scores, print_scores
from keepsight.cli.options import DeviceOption, DtypeOption, JsonOption
from keepsight.cli.output import make_console, wants_json
from keepsight.extras import require_extra

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
        str,
        typer.Option(
            help="Questions about toy videos: general, memory for those that only memory can answer, or space for "
            "those about places in the picture."
        ),
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
    request = RunRequest(
        data=data,
        folder=folder,
        toys=ToyOptions(difficulty, minutes, ask_minutes, questions, split, question_set),
        first_video=first_video,
        num_videos=videos,
        paper=paper,
        experiments=tuple(experiment or ()),
        methods=tuple(method or ()),
        model=model,
        device=device,
        dtype=dtype,
        processes=processes,
        out=out,
        judge=JudgeOptions(judge_url, judge_model, judge_key_variable, judge_prompt, judge_setting),
    )
    perform(request, None if wants_json(json) else make_console())


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
