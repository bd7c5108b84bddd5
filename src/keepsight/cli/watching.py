"""`keepsight watch`: its options, and the checks that need no model."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import DeviceOption, DtypeOption, JsonOption, QuantizationOption, load_model_or_say
from keepsight.cli.output import make_console, wants_json
from keepsight.cli.running import WatchJob, run_job
from keepsight.errors import SettingError
from keepsight.settings import PAPER, SELECTOR_NAMES, Settings


def watch(
    source: Annotated[Path, typer.Argument(help="The video file.")],
    journal: Annotated[
        Path | None, typer.Option(help="Where to write; SOURCE's name with .db, in this folder, when not given.")
    ] = None,
    model: Annotated[str, typer.Option(help="A bundled name, a folder, or a Hugging Face id.")] = "tiny",
    ask: Annotated[list[str] | None, typer.Option(help="A question for the end. May be given more than once.")] = None,
    sample_fps: Annotated[float | None, typer.Option(help="Frames taken from each second of video.")] = None,
    selector: Annotated[str | None, typer.Option(help=f"What is kept: {', '.join(SELECTOR_NAMES)}.")] = None,
    retention: Annotated[float | None, typer.Option(help="Share of a clip's visual tokens that is kept.")] = None,
    memory_clips: Annotated[int | None, typer.Option(help="Clips that the visual memory holds.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="Start from the paper's settings in every point.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Questions also see frames that have no caption yet.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Watch from the beginning as a new stream.")] = False,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    quantization: QuantizationOption = None,
    compile_passes: Annotated[
        bool, typer.Option("--compile", help="Compile the writing of captions: slow to begin, may pay on a GPU.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Watch a video: a caption for each clip, and answers to questions at the end.

    The same command goes on where an earlier one was stopped.
    """
    given = {"sample_fps": sample_fps, "selector": selector, "retention": retention, "memory_clips": memory_clips}
    settings = make_settings(paper, live, given)
    job = prepare_job(source, journal, tuple(ask or ()), settings, restart)
    console = None if wants_json(json) else make_console()
    with stop_requests():
        try:
            run_job(job, load_model_or_say(model, device, dtype, quantization, compile_passes), console)
        except StopRequest as request:  # while the model was loaded; later ones are handled there
            raise Stopped("stopped before watching began", request.signal_number) from None


def make_settings(paper: bool, live: bool, given: dict[str, Any]) -> Settings:
    """The defaults or the paper's settings, with what the user gave in their place.

    Raises:
        SettingError: a value is outside what is allowed.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(PAPER if paper else Settings(), live=live, **changes)


def prepare_job(
    source: Path, journal: Path | None, questions: tuple[str, ...], settings: Settings, restart: bool
) -> WatchJob:
    """Check the source and the journal, so that what is wrong with them shows before a model is loaded.

    Raises:
        VideoError: there is nothing to watch.
        JournalError: the journal exists and cannot be written to.
        SettingError: a question is empty, or the journal would replace the video.
    """
    if any(not question.strip() for question in questions):
        raise SettingError("a question given with --ask is empty")
    from keepsight.journal import Journal
    from keepsight.video import open_video

    with open_video(source) as video:
        duration_seconds = video.info.duration_seconds
    path = journal or Path(f"{source.stem}.db")
    if path.exists():
        Journal.create(path).close()
    return WatchJob(source, path, questions, settings, restart, duration_seconds)
