"""Running one `keepsight watch`: captions as they come, questions at the end, a clean end when it is stopped."""

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from keepsight.cli.asking import show_answer
from keepsight.cli.interruption import Stopped, StopRequest
from keepsight.cli.output import caption_text, emit, emit_clip, emit_summary
from keepsight.errors import KeepsightError, TruncatedVideoError
from keepsight.progress import WatchProgress, WatchSummary, peak_memory_bytes
from keepsight.settings import Settings
from keepsight.spans import format_clock

if TYPE_CHECKING:
    from keepsight.models.protocol import VideoModel
    from keepsight.stream_state import Moment
    from keepsight.watcher import Watcher


@dataclass(frozen=True)
class WatchJob:
    """What one `keepsight watch` is to do.

    Attributes:
        source: the video.
        journal: where to write.
        questions: asked when the video has ended.
        settings: how to watch.
        restart: begin anew whatever the journal has.
        duration_seconds: length of the video as far as it is known.
    """

    source: Path
    journal: Path
    questions: tuple[str, ...]
    settings: Settings
    restart: bool
    duration_seconds: float | None


def run_job(job: WatchJob, model: "VideoModel", console: Console | None) -> None:
    """Watch and answer, on a console or, without one, in JSON lines.

    Raises:
        Stopped: by a signal; what was captioned is kept.
        KeepsightError: as for `Watcher.watch`. A damaged video is watched to its end and asked about before.
    """
    from keepsight.watcher import Watcher

    if console is None:
        emit(
            "start",
            source=str(job.source),
            journal=str(job.journal),
            model=model.info.name,
            duration_seconds=job.duration_seconds,
            settings=repr(job.settings),
        )
    damage = None
    with Watcher(model, job.journal, job.settings) as watcher:
        try:
            try:
                _watch(watcher, job, console)
            except TruncatedVideoError as error:
                damage = error
            for question in job.questions:
                show_answer(console, question, watcher.ask_streaming(question))
        except StopRequest as request:
            raise Stopped(_stopped_line(watcher, job), request.signal_number) from None
    if damage is not None:
        raise damage


def _watch(watcher: "Watcher", job: WatchJob, console: Console | None) -> None:
    """Show captions as they come, and what this run did, also when it is stopped or fails."""
    tally = _Tally(watcher.model.info.device)
    moments = watcher.watch(job.source, restart=job.restart)
    try:
        # Closing the generator marks the stream as interrupted at once, not when it is collected.
        with closing(moments), WatchProgress(console or Console(quiet=True), job.duration_seconds) as progress:
            for moment in moments:
                tally.add(moment)
                progress.reach(moment.span.end_seconds)
                if console is None:
                    emit_clip(moment)
                else:
                    console.print(caption_text(moment.span, moment.caption))
    except (StopRequest, KeepsightError):
        _show_summary(tally.summary(), job, console)
        raise
    _show_summary(tally.summary(), job, console)


class _Tally:
    """Adds up what a run does."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._started = time.perf_counter()
        self._so_far = WatchSummary()

    def add(self, moment: "Moment") -> None:
        so_far = self._so_far
        self._so_far = replace(
            so_far,
            num_clips=so_far.num_clips + 1,
            watched_seconds=so_far.watched_seconds + moment.span.duration_seconds,
            num_visual_tokens=so_far.num_visual_tokens + moment.num_visual_tokens,
            num_kept_tokens=so_far.num_kept_tokens + moment.num_kept_tokens,
        )

    def summary(self) -> WatchSummary:
        return replace(
            self._so_far,
            wall_seconds=time.perf_counter() - self._started,
            peak_memory_bytes=peak_memory_bytes(),
            peak_device_bytes=_peak_device_bytes(self._device),
        )


def _peak_device_bytes(device: str) -> int | None:
    if not device.startswith("cuda"):
        return None
    import torch

    return int(torch.cuda.max_memory_allocated(device))


def _show_summary(summary: WatchSummary, job: WatchJob, console: Console | None) -> None:
    if console is None:
        emit_summary(summary)
    else:
        console.print(Text(f"{summary}; journal {job.journal}", style="bold"))


def _stopped_line(watcher: "Watcher", job: WatchJob) -> str:
    stream = watcher.stream
    if stream is None:
        return "stopped before watching began"
    if stream.is_finished:
        return f"stopped; all captions are in {job.journal}, so `keepsight ask` can go on"
    reached = format_clock(stream.end_seconds or 0.0)
    return f"stopped at {reached}; everything up to there is in {job.journal}, and the same command goes on from there"
