"""One run of `keepsight watch`: captions as they come, questions at the end, clean stop on a signal."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from keepsight.cli.asking import show_answer
from keepsight.cli.events import EventOutput
from keepsight.cli.interruption import Stopped, StopRequest
from keepsight.cli.output import clock_text, emit, emit_summary
from keepsight.cli.preparing import WatchJob, remove_if_empty
from keepsight.errors import IncompleteVideoError, KeepsightError, TruncatedVideoError
from keepsight.progress import WatchProgress, WatchSummary, peak_memory_bytes

if TYPE_CHECKING:
    from keepsight.engine.stream_pipeline import Moment
    from keepsight.engine.watch_together import WatchTogether
    from keepsight.engine.watcher import Watcher
    from keepsight.method.protocol import BatchModel


def run_job(job: WatchJob, model: "BatchModel", console: Console | None) -> None:
    """Watch and answer, on a console or in JSON lines.

    Raises:
        Stopped: by a signal; stored captions are kept.
        KeepsightError: as for `Watcher.watch`. A damaged video is watched and questions are answered first; with
            several sources, the others are watched.
    """
    from keepsight.engine.watch_together import WatchTogether
    from keepsight.journal import Journal

    _show_start(job, model.info.name, console)
    with ExitStack() as stack:
        if not job.journal.exists():
            stack.callback(remove_if_empty, job.journal)
        journal = stack.enter_context(Journal.create(job.journal))
        watch = WatchTogether(model, journal, job.settings, job.reading, job.quota, job.engine)
        failures: list[KeepsightError] = []
        try:
            try:
                failures = _watch(watch, job, model.info.devices, console)
            except (TruncatedVideoError, IncompleteVideoError) as error:
                failures = [error]
            for watcher in watch.watchers:
                for question in job.questions if watcher.stream else ():
                    show_answer(console, question, watcher.ask_streaming(question), watcher.stream)
        except StopRequest as request:
            raise Stopped(_stopped_line(watch.watchers, job), request.signal_number) from None
    if len(job.sources) == 1 and failures:
        raise failures[0]
    if failures:
        raise KeepsightError(f"{len(failures)} of {len(job.sources)} sources failed before their end")


def say_nothing_new(job: WatchJob, model_name: str, console: Console | None) -> None:
    """Output of `run_job` if there is nothing to watch or ask, and so no model to load."""
    _show_start(job, model_name, console)
    _show_summary(WatchSummary(peak_memory_bytes=peak_memory_bytes()), job, console)


def _show_start(job: WatchJob, model_name: str, console: Console | None) -> None:
    if console is None:
        emit(
            "start",
            source=job.names[0],
            sources=list(job.names),
            journal=str(job.journal),
            model=model_name,
            duration_seconds=job.duration_seconds,
            settings=json.loads(job.settings.to_json()),
        )


def _watch(
    watch: "WatchTogether", job: WatchJob, devices: tuple[str, ...], console: Console | None
) -> list[KeepsightError]:
    """Print events, and a summary even when stopped or failed.

    Returns:
        Errors of failed sources, if there are several sources.

    Raises:
        KeepsightError: the error of the only source.
    """
    from keepsight.engine.stream_pipeline import Moment
    from keepsight.engine.watch_together import Failure
    from keepsight.sources.supervision import StateChange

    tally, failures = _Tally(devices), []
    events = watch.events(job.sources, restart=job.restart, connection=job.connection)
    show = EventOutput(job.names, watch, console)
    try:
        # Closing the generator marks the stream as interrupted at once.
        with closing(events), WatchProgress(console or Console(quiet=True), job.duration_seconds) as progress:
            for happened in events:
                event = happened.event
                if isinstance(event, Moment):
                    tally.add(event)
                    if job.duration_seconds is not None:
                        progress.reach(event.span.end_seconds)
                elif isinstance(event, Failure):
                    failures.append(event.error)
                    if len(job.sources) == 1:
                        continue
                elif isinstance(event, StateChange):
                    tally.saw_live()
                show(happened)
        if failures and len(job.sources) == 1:
            raise failures[0]
    except (StopRequest, KeepsightError):
        if tally.has_seen or console is None:
            _show_summary(tally.summary(), job, console)
        raise
    _show_summary(tally.summary(), job, console)
    return failures


class _Tally:
    """Statistics of a run."""

    def __init__(self, devices: tuple[str, ...]) -> None:
        self._devices = devices
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
            num_still_clips=so_far.num_still_clips + moment.is_still,
        )

    @property
    def has_seen(self) -> bool:
        """Whether there was a clip."""
        return self._so_far.num_clips > 0

    def saw_live(self) -> None:
        self._so_far = replace(self._so_far, is_live=True)

    def summary(self) -> WatchSummary:
        return replace(
            self._so_far,
            wall_seconds=time.perf_counter() - self._started,
            peak_memory_bytes=peak_memory_bytes(),
            peak_device_bytes=_peak_device_bytes(self._devices),
        )


def _peak_device_bytes(devices: tuple[str, ...]) -> int | None:
    if not devices[0].startswith("cuda"):
        return None
    import torch

    return sum(int(torch.cuda.max_memory_allocated(device)) for device in devices)


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
        return f"stopped; all captions are in {job.journal}: ask with `keepsight ask`"
    if len(streams) > 1:
        return f"stopped; everything so far is in {job.journal}; run the same command to resume"
    reached = clock_text(streams[0], streams[0].end_seconds or 0.0)
    return f"stopped at {reached}; everything up to there is in {job.journal}; run the same command to resume"
