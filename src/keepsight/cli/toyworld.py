"""`keepsight toyworld`: synthetic video with known content."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from keepsight.cli.options import JsonOption, checked_path
from keepsight.cli.output import emit, make_console, wants_json
from keepsight.errors import KeepsightError
from keepsight.spans import format_clock

toyworld = typer.Typer(help="Make synthetic video with known content.", no_args_is_help=False)


@toyworld.callback()
def _group() -> None:
    """Make this a group: with a single command, Typer would omit its name."""


@toyworld.command()
def make(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT.mp4",
            help="MP4 file; its ground truth goes beside it.",
            callback=checked_path,
        ),
    ],
    minutes: Annotated[float, typer.Option(help="Length of the video.")] = 8.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same video.")] = 0,
    difficulty: Annotated[
        str,
        typer.Option(
            help="easy, default, hard, crowded, cluttered or fast; for evaluation only long-gaps, changing-looks or "
            "unseen."
        ),
    ] = "default",
    fps: Annotated[int, typer.Option(help="Frames a second.")] = 4,
    json: JsonOption = None,
) -> None:
    """Make a toy video, with captions and questions as ground truth next to it."""
    from keepsight.toyworld.files import ToyVideoSettings, make_video

    settings = ToyVideoSettings(seed=seed, minutes=minutes, difficulty=difficulty, fps=fps)
    console = None if wants_json(json) else make_console()
    try:
        with Progress(console=console or Console(quiet=True), transient=True, disable=not _shows_bar(console)) as bar:
            task = bar.add_task("making", total=1.0)
            truth = make_video(out, settings, progress=lambda share: bar.update(task, completed=share))
    except OSError as error:
        raise KeepsightError(f"cannot write {out}: {error.strerror}") from error
    seconds, num_clips = truth.story.duration_seconds, len(truth.captions)
    truth_path = out.with_suffix(".json")
    if console is None:
        emit("video", path=str(out), truth_path=str(truth_path), duration_seconds=seconds, num_clips=num_clips)
        return
    console.print(f"{format_clock(seconds)} in {out}, ground truth in {truth_path}", markup=False)


def _shows_bar(console: Console | None) -> bool:
    return console is not None and console.is_terminal
