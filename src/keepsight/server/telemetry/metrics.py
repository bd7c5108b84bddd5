"""What the server did, counted for Prometheus (text exposition format 0.0.4).

Counters begin at 0 with each server. What is so at the moment is looked up when somebody asks. Streams stand under
their random ids: neither sources nor questions are in here.
"""

from collections import Counter as Tally
from collections.abc import Iterator

import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from keepsight.journal import StreamRecord
from keepsight.server.access.limits import Slots
from keepsight.server.questions import QuestionDesk
from keepsight.server.streams.service import StreamService
from keepsight.server.streams.states import state_of
from keepsight.server.telemetry.observing import Observer
from keepsight.sources.supervision import SourceState
from keepsight.watching.stream_state import Moment

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
_LOST = frozenset({SourceState.STALLED.value, SourceState.OFFLINE.value})


class Metrics(Observer):
    """Counts what it is told, and shows it with what is so now.

    Args:
        service: is watched; it is to tell this observer.
        desk: answers questions.
        viewers: event streams that are open.
    """

    def __init__(self, service: StreamService, desk: QuestionDesk, viewers: Slots) -> None:
        self._service = service
        self._registry = registry = CollectorRegistry()
        self._lost: set[str] = set()
        self._streaming: set[str] = set()
        self._clips = Counter("keepsight_clips", "Clips described and stored.", registry=registry)
        self._clip_seconds = Histogram(
            "keepsight_clip_seconds",
            "Wall time of a clip, from encoding to storing.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._dropped = Counter("keepsight_frames_dropped", "Frames given up: the model was slow.", registry=registry)
        self._lost_sources = Counter("keepsight_source_losses", "Times that a live source was lost.", registry=registry)
        self._reconnects = Counter("keepsight_source_reconnects", "Times that one was found again.", registry=registry)
        self._restarts = Counter("keepsight_decoder_restarts", "Dead decoders that were begun anew.", registry=registry)
        self._seen = Counter("keepsight_visual_tokens_seen", "Visual tokens of all clips.", registry=registry)
        self._kept = Counter("keepsight_visual_tokens_kept", "Visual tokens that were kept.", registry=registry)
        self._answers = Counter("keepsight_answers", "Questions by how they ended.", ["outcome"], registry=registry)
        self._answer_seconds = Histogram(
            "keepsight_answer_seconds", "From choosing captions to the last word.", buckets=_SECONDS, registry=registry
        )
        self._answer_tokens = Counter("keepsight_answer_tokens", "Tokens of answers.", registry=registry)
        for outcome in ("answered", "failed"):
            self._answers.labels(outcome)
        in_flight = Gauge("keepsight_questions_in_flight", "Questions that are being answered.", registry=registry)
        in_flight.set_function(lambda: desk.num_in_flight)
        open_views = Gauge("keepsight_viewers", "Event streams that are open.", registry=registry)
        open_views.set_function(lambda: viewers.num_taken)
        registry.register(_Present(service))
        ProcessCollector(registry=registry)

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        """See `Observer`."""
        del stream
        self._clips.inc()
        self._clip_seconds.observe(moment.seconds_spent)
        self._dropped.inc(moment.num_frames_dropped)
        self._seen.inc(moment.num_visual_tokens)
        self._kept.inc(moment.num_kept_tokens)

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        """See `Observer`."""
        del reason
        if state == SourceState.STREAMING:
            self._reconnects.inc(stream.id in self._lost)
            self._lost.discard(stream.id)
            self._streaming.add(stream.id)
        elif state in _LOST and stream.id in self._streaming:  # what was never there is not lost
            self._lost_sources.inc()
            self._lost.add(stream.id)
            self._streaming.discard(stream.id)

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        """See `Observer`."""
        del stream, reason
        self._restarts.inc()

    def answered(self, stream_id: str, seconds: float, text: str | None) -> None:
        """See `Observer`."""
        del stream_id
        self._answers.labels("failed" if text is None else "answered").inc()
        if text is not None:
            self._answer_seconds.observe(seconds)
            self._answer_tokens.inc(self._service.model.count_tokens(text))


class _Present(Collector):
    """What is so now, of streams, journal and device.

    Args:
        service: is looked at.
    """

    def __init__(self, service: StreamService) -> None:
        self._service = service

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing, so that registering does not read the journal."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `Collector`."""
        states = GaugeMetricFamily("keepsight_streams", "Streams by state.", labels=["state"])
        for state, count in self._states().items():
            states.add_metric([state], count)
        yield states
        lags = GaugeMetricFamily("keepsight_lag_seconds", "Age of a live stream's newest clip.", labels=["stream"])
        waiting = GaugeMetricFamily("keepsight_frames_waiting", "Frames that wait for the model.", labels=["stream"])
        for run in self._service.runs.all():
            if run.is_alive:
                waiting.add_metric([run.stream.id], run.num_waiting)
                if (lag := run.figures().lag_seconds) is not None:
                    lags.add_metric([run.stream.id], lag)
        yield lags
        yield waiting
        num_bytes = self._service.journal.storage.num_file_bytes()
        yield GaugeMetricFamily("keepsight_journal_bytes", "Bytes of the journal that are in use.", num_bytes)
        device = self._service.model.info.device
        if device.startswith("cuda"):
            held = torch.cuda.memory_allocated(device)
            yield GaugeMetricFamily("keepsight_device_memory_bytes", "Memory of the device that is in use.", held)

    def _states(self) -> Tally[str]:
        runs = {run.stream.id: run for run in self._service.runs.all()}
        states: Tally[str] = Tally()
        for stream in self._service.journal.streams.all():
            run = runs.get(stream.id)
            states["" if run is None else run.state] += run is not None and run.is_alive
            if run is None or not run.is_alive:
                states[state_of(stream, "" if run is None else run.reason)] += 1
        return +states
