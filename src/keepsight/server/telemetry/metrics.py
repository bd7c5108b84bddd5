"""Prometheus metrics of the server (text exposition format 0.0.4).

Counters start at 0 with each server; gauges are read on request. Streams are labelled by their random ids; no source or
question is included.
"""

from collections import Counter as Tally
from collections.abc import Iterator

import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from keepsight.engine.stream_pipeline import Moment
from keepsight.hub.limiter import Limiter
from keepsight.hub.observing import Observer
from keepsight.hub.questions import QuestionService
from keepsight.hub.service import StreamService
from keepsight.hub.states import state_of
from keepsight.journal import StreamRecord
from keepsight.method.model_info import AnswerAuthor
from keepsight.sources.supervision import SourceState
from keepsight.sources.worker_pipe import decoder_memory_bytes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
_LOST = frozenset({SourceState.STALLED.value, SourceState.OFFLINE.value})


class Metrics(Observer):
    """Counts events, and exports counters and gauges.

    Args:
        service: the hub, which must notify this observer.
        questions: answers questions.
        viewers: limiter of event streams.
    """

    def __init__(self, service: StreamService, questions: QuestionService, viewers: Limiter) -> None:
        self._service = service
        self._registry = registry = CollectorRegistry()
        self._lost: set[str] = set()
        self._streaming: set[str] = set()
        self._clips = Counter("keepsight_clips", "Clips stored.", registry=registry)
        self._still = Counter(
            "keepsight_still_clips", "Clips stored without a caption: nothing changed.", registry=registry
        )
        self._clip_seconds = Histogram(
            "keepsight_clip_seconds",
            "Wall time per clip, from encoding to storing.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._dropped = Counter(
            "keepsight_frames_dropped", "Frames dropped because the model was slow.", registry=registry
        )
        self._lost_sources = Counter("keepsight_source_losses", "Live source disconnects.", registry=registry)
        self._reconnects = Counter("keepsight_source_reconnects", "Live source reconnects.", registry=registry)
        self._restarts = Counter("keepsight_decoder_restarts", "Decoder restarts after a crash.", registry=registry)
        self._seen = Counter("keepsight_visual_tokens_seen", "Visual tokens of all clips.", registry=registry)
        self._kept = Counter("keepsight_visual_tokens_kept", "Visual tokens kept.", registry=registry)
        self._answers = Counter("keepsight_answers", "Questions by outcome.", ["outcome"], registry=registry)
        self._answer_seconds = Histogram(
            "keepsight_answer_seconds",
            "Wall time per answer, from retrieval to the last token.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._answer_tokens = Counter("keepsight_answer_tokens", "Tokens generated for answers.", registry=registry)
        for outcome in ("answered", "failed"):
            self._answers.labels(outcome)
        in_flight = Gauge("keepsight_questions_in_flight", "Questions in progress.", registry=registry)
        in_flight.set_function(lambda: questions.num_in_flight)
        open_views = Gauge("keepsight_viewers", "Open event streams.", registry=registry)
        open_views.set_function(lambda: viewers.num_taken)
        registry.register(_Present(service))
        ProcessCollector(registry=registry)

    def text(self) -> bytes:
        """All metrics in Prometheus format."""
        return generate_latest(self._registry)

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        del stream
        self._clips.inc()
        if moment.is_still:
            self._still.inc()
        else:
            self._clip_seconds.observe(moment.seconds_spent)
        self._dropped.inc(moment.num_frames_dropped)
        self._seen.inc(moment.num_visual_tokens)
        self._kept.inc(moment.num_kept_tokens)

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        del reason
        if state == SourceState.STREAMING:
            self._reconnects.inc(stream.id in self._lost)
            self._lost.discard(stream.id)
            self._streaming.add(stream.id)
        elif state in _LOST and stream.id in self._streaming:  # a source that was never connected is not lost
            self._lost_sources.inc()
            self._lost.add(stream.id)
            self._streaming.discard(stream.id)

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        del stream, reason
        self._restarts.inc()

    def answered(self, stream_id: str, seconds: float, text: str | None, author: AnswerAuthor) -> None:
        del author
        del stream_id
        self._answers.labels("failed" if text is None else "answered").inc()
        if text is not None:
            self._answer_seconds.observe(seconds)
            self._answer_tokens.inc(self._service.model.count_tokens(text))


class _Present(Collector):
    """Gauges of streams, journal and device.

    Args:
        service: the hub.
    """

    def __init__(self, service: StreamService) -> None:
        self._service = service

    def describe(self) -> list[GaugeMetricFamily]:
        """Describe nothing, so registering does not read the journal."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        states = GaugeMetricFamily("keepsight_streams", "Streams by state.", labels=["state"])
        for state, count in self._states().items():
            states.add_metric([state], count)
        yield states
        lags = GaugeMetricFamily("keepsight_lag_seconds", "Age of a live stream's newest clip.", labels=["stream"])
        waiting = GaugeMetricFamily("keepsight_frames_waiting", "Frames queued for the model.", labels=["stream"])
        for run in self._service.runs.all():
            if run.is_alive:
                waiting.add_metric([run.stream.id], run.num_waiting)
                if (lag := run.figures().lag_seconds) is not None:
                    lags.add_metric([run.stream.id], lag)
        yield lags
        yield waiting
        num_bytes = self._service.journal.storage.num_file_bytes()
        yield GaugeMetricFamily("keepsight_journal_bytes", "Journal size in use, in bytes.", num_bytes)
        decoders = decoder_memory_bytes()
        yield GaugeMetricFamily("keepsight_decoders", "Decoder processes.", len(decoders))
        yield GaugeMetricFamily(
            "keepsight_decoder_memory_bytes", "Resident memory of all decoder processes.", sum(decoders.values())
        )
        devices = self._service.model.info.devices
        if devices[0].startswith("cuda"):
            held = sum(torch.cuda.memory_allocated(device) for device in devices)
            yield GaugeMetricFamily("keepsight_device_memory_bytes", "Device memory in use.", held)

    def _states(self) -> Tally[str]:
        runs = {run.stream.id: run for run in self._service.runs.all()}
        states: Tally[str] = Tally()
        for stream in self._service.journal.streams.all():
            run = runs.get(stream.id)
            states["" if run is None else run.state] += run is not None and run.is_alive
            if run is None or not run.is_alive:
                states[state_of(stream, "" if run is None else run.reason)] += 1
        return +states
