"""Running one `keepsight watch`: captions as they come, questions at the end, a clean end when it is stopped."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from keepsight.cli.asking import show_answer
from keepsight.cli.events import EventOutput
from keepsight.cli.interruption import Stopped, StopRequest
from keepsight.cli.one_source import OneSource
from keepsight.cli.output import clock_text, emit, emit_summary
from keepsight.errors import KeepsightError, TruncatedVideoError
from keepsight.progress import WatchProgress, WatchSummary, peak_memory_bytes
from keepsight.settings import Settings

if TYPE_CHECKING:
    from keepsight.journal import Quota
    from keepsight.models.protocol import BatchModel
    from keepsight.service.watch_together import WatchTogether
    from keepsight.sources.isolated import IsolatedReader
    from keepsight.sources.settings import SourceSettings
    from keepsight.watcher import Watcher
    from keepsight.watching.stream_state import Moment


@dataclass(frozen=True)
class WatchJob:
    """What one `keepsight watch` is to do.

    Attributes:
        sources: what to watch, as it was given, in order.
        names: the same without credentials.
        journal: where to write.
        questions: asked when everything has ended.
        settings: how to watch.
        reading: how sources are read.
        restart: begin anew whatever the journal has.
        duration_seconds: length of the only source as far as it is known.
        quota: what the journal may hold; None for no limit.
        connection: the only source, if it is open already.
    """

    sources: tuple[str, ...]
    names: tuple[str, ...]
    journal: Path
    questions: tuple[str, ...]
    settings: Settings
    reading: "SourceSettings"
    restart: bool
    duration_seconds: float | None
    quota: "Quota | None" = None
    connection: "IsolatedReader | None" = None

    def close(self) -> None:
        """Let go of the source that is open."""
        if self.connection is not None:
            self.connection.close()


def run_job(job: WatchJob, model: "BatchModel", console: Console | None) -> None:
    """Watch and answer, on a console or, without one, in JSON lines.

    Raises:
        Stopped: by a signal; what was captioned is kept.
        KeepsightError: as for `Watcher.watch`. A damaged video is watched to its end and asked about before; of several
            sources, those that can be watched are.
    """
    if console is None:
        emit(
            "start",
            source=job.names[0],
            sources=list(job.names),
            journal=str(job.journal),
            model=model.info.name,
            duration_seconds=job.duration_seconds,
            settings=repr(job.settings),
        )
    with ExitStack() as stack:
        watch = _begin(job, model, stack)
        failures: list[KeepsightError] = []
        try:
            try:
                failures = _watch(watch, job, model.info.device, console)
            except TruncatedVideoError as error:
                failures = [error]
            for watcher in watch.watchers:
                for question in job.questions if watcher.stream else ():
                    show_answer(console, question, watcher.ask_streaming(question), watcher.stream)
        except StopRequest as request:
            raise Stopped(_stopped_line(watch.watchers, job), request.signal_number) from None
    if len(job.sources) == 1 and failures:
        raise failures[0]
    if failures:
        raise KeepsightError(f"{len(failures)} of {len(job.sources)} sources could not be watched to their end")


def _begin(job: WatchJob, model: "BatchModel", stack: ExitStack) -> "OneSource | WatchTogether":
    from keepsight.journal import Journal
    from keepsight.service.watch_together import WatchTogether
    from keepsight.watcher import Watcher

    if len(job.sources) == 1:
        watcher = Watcher(model, job.journal, job.settings, job.reading, job.quota)
        return OneSource(stack.enter_context(watcher), job.connection)
    journal = stack.enter_context(Journal.create(job.journal))
    return WatchTogether(model, journal, job.settings, job.reading, job.quota)


def _watch(
    watch: "OneSource | WatchTogether", job: WatchJob, device: str, console: Console | None
) -> list[KeepsightError]:
    """Show what happens as it happens, and what this run did, also when it is stopped or fails."""
    from keepsight.service.watch_together import Failure
    from keepsight.watching.stream_state import Moment

    tally, failures = _Tally(device), []
    events = watch.events(job.sources, restart=job.restart)
    show = EventOutput(job.names, watch, console)
    try:
        # Closing the generator marks the stream as interrupted at once, not when it is collected.
        with closing(events), WatchProgress(console or Console(quiet=True), job.duration_seconds) as progress:
            for happened in events:
                event = happened.event
                if isinstance(event, Moment):
                    tally.add(event)
                    if job.duration_seconds is not None:
                        progress.reach(event.span.end_seconds)
                elif isinstance(event, Failure):
                    failures.append(event.error)
                else:
                    tally.saw_live()
                show(happened)
    except (StopRequest, KeepsightError):
        _show_summary(tally.summary(), job, console)
        raise
    _show_summary(tally.summary(), job, console)
    return failures


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
            spent_seconds=so_far.spent_seconds + moment.seconds_spent,
            num_frames_dropped=so_far.num_frames_dropped + moment.num_frames_dropped,
        )

    def saw_live(self) -> None:
        self._so_far = replace(self._so_far, is_live=True)

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


def _stopped_line(watchers: "Sequence[Watcher]", job: WatchJob) -> str:
    streams = [watcher.stream for watcher in watchers if watcher.stream is not None]
    if not streams:
        return "stopped before watching began"
    if all(stream.is_finished and not stream.is_live for stream in streams):
        return f"stopped; all captions are in {job.journal}, so `keepsight ask` can go on"
    if len(streams) > 1:
        return f"stopped; everything so far is in {job.journal}, and the same command goes on from there"
    reached = clock_text(streams[0], streams[0].end_seconds or 0.0)
    return f"stopped at {reached}; everything up to there is in {job.journal}, and the same command goes on from there"
