"""Plain figures of how a stream is watched."""

import time
from collections import deque
from dataclasses import dataclass
from statistics import fmean

from keepsight.journal import StreamRecord
from keepsight.sources.supervision import SourceState, StateChange
from keepsight.watching.stream_state import Moment

_CLIPS_IN_A_MEAN = 20
_LOST = frozenset({SourceState.STALLED, SourceState.OFFLINE})


@dataclass(frozen=True)
class Figures:
    """How watching goes, since it was begun or resumed.

    Attributes:
        seconds_per_clip: mean of the last clips; None before the first.
        lag_seconds: how long ago the newest clip ended, for live streams; None before the first, and for files.
        num_frames_dropped: given up because the model was too slow.
        num_losses: how often a live source was lost.
        num_frames_pending: frames of the next clip that are there already.
    """

    seconds_per_clip: float | None = None
    lag_seconds: float | None = None
    num_frames_dropped: int = 0
    num_losses: int = 0
    num_frames_pending: int = 0


class KeptFigures:
    """Figures as they come of what happens. Noted in one thread, read in any.

    Args:
        stream: that is watched.
    """

    def __init__(self, stream: StreamRecord) -> None:
        self._stream = stream
        self._seconds: deque[float] = deque(maxlen=_CLIPS_IN_A_MEAN)
        self._last_end_seconds: float | None = None
        self._num_dropped = 0
        self._num_losses = 0
        self._is_streaming = False

    def note(self, event: Moment | StateChange) -> None:
        """Something happened."""
        if isinstance(event, Moment):
            self._seconds.append(event.seconds_spent)
            self._num_dropped += event.num_frames_dropped
            self._last_end_seconds = event.span.end_seconds
        elif event.state in _LOST:
            self._num_losses += self._is_streaming  # what was never there is not lost
            self._is_streaming = False
        elif event.state is SourceState.STREAMING:
            self._is_streaming = True

    def now(self, num_frames_pending: int) -> Figures:
        """How it goes."""
        seconds, lag = list(self._seconds), None
        if self._stream.is_live and self._last_end_seconds is not None:
            lag = max(0.0, time.time() - self._stream.started_at.timestamp() - self._last_end_seconds)
        return Figures(
            fmean(seconds) if seconds else None, lag, self._num_dropped, self._num_losses, num_frames_pending
        )
