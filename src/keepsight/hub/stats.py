"""Statistics of an active stream."""

from collections import deque
from dataclasses import dataclass
from statistics import fmean

from keepsight.engine.stream_pipeline import Moment
from keepsight.journal import StreamRecord
from keepsight.sources.supervision import SourceState, StateChange

_CLIPS_IN_A_MEAN = 20
_LOST = frozenset({SourceState.STALLED, SourceState.OFFLINE})


@dataclass(frozen=True)
class StreamStats:
    """Statistics since a stream was started or resumed.

    Attributes:
        seconds_per_clip: mean of the last captioned clips; None before the first.
        lag_seconds: age of a live stream's newest clip; None before the first, and for files.
        num_frames_dropped: dropped because the model was too slow.
        num_losses: disconnects of a live source.
        num_frames_pending: frames already received for the next clip.
    """

    seconds_per_clip: float | None = None
    lag_seconds: float | None = None
    num_frames_dropped: int = 0
    num_losses: int = 0
    num_frames_pending: int = 0


class StatsCollector:
    """Collects statistics from events. One writer thread, any reader threads.

    Args:
        stream: the active stream.
    """

    def __init__(self, stream: StreamRecord) -> None:
        self._stream = stream
        self._seconds: deque[float] = deque(maxlen=_CLIPS_IN_A_MEAN)
        self._last_end_seconds: float | None = None
        self._num_dropped = 0
        self._num_losses = 0
        self._is_streaming = False

    def note(self, event: Moment | StateChange) -> None:
        """Count an event."""
        if isinstance(event, Moment):
            if not event.is_still:
                self._seconds.append(event.seconds_spent)
            self._num_dropped += event.num_frames_dropped
            self._last_end_seconds = event.span.end_seconds
        elif event.state in _LOST:
            self._num_losses += self._is_streaming  # a source that was never connected is not lost
            self._is_streaming = False
        elif event.state is SourceState.STREAMING:
            self._is_streaming = True

    def now(self, num_frames_pending: int, now_seconds: float | None = None) -> StreamStats:
        """Current statistics.

        Args:
            num_frames_pending: frames already received for the next clip.
            now_seconds: current time of a live stream; None if inactive.
        """
        seconds, lag = list(self._seconds), None
        if now_seconds is not None and self._last_end_seconds is not None:
            lag = max(0.0, now_seconds - self._last_end_seconds)
        return StreamStats(
            fmean(seconds) if seconds else None, lag, self._num_dropped, self._num_losses, num_frames_pending
        )
