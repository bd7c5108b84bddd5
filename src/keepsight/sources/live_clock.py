"""When a live frame was on screen, in seconds since the stream was begun.

Frames of one connection keep the distances that the source gives them; when the first of them came settles where they
stand on the wall clock. A source's clock may run wrong, and what a network held back comes all at once, so a frame that
would stand too far from its arrival moves the connection's frames there. Time never runs back: a wall clock that is set
back, or a connection that repeats what it sent, holds the time already reached.
"""

from keepsight.errors import SettingError

MAX_DRIFT_SECONDS = 5.0
"""How far a frame's time may be from its arrival: what a network may hold back, and hours of a bad clock's drift."""


class LiveClock:
    """Turns times of connections into times of a stream.

    Args:
        started_at: wall clock at the stream's second 0, in seconds since 1970.
        reached_seconds: time of the stream that is known already, of a stream that is taken up again.
        max_drift_seconds: see `MAX_DRIFT_SECONDS`.
    """

    def __init__(
        self, started_at: float, reached_seconds: float = 0.0, max_drift_seconds: float = MAX_DRIFT_SECONDS
    ) -> None:
        if not max_drift_seconds >= 0:
            raise SettingError(f"max_drift_seconds is 0 or more, not {max_drift_seconds}")
        self._started_at = started_at
        self._reached = reached_seconds
        self._max_drift = max_drift_seconds
        self._offset: float | None = None

    @property
    def reached_seconds(self) -> float:
        """The latest time that was given out."""
        return self._reached

    def connected(self) -> None:
        """A new connection: its times have nothing to do with those of the one before."""
        self._offset = None

    def place(self, media_seconds: float, received_at: float) -> float:
        """Time of a frame in the stream, in seconds; never less than that of the frame before.

        Args:
            media_seconds: the frame's time on the connection's own clock.
            received_at: wall clock at its arrival, in seconds since 1970.
        """
        arrival = received_at - self._started_at
        if self._offset is None or abs(media_seconds + self._offset - arrival) > self._max_drift:
            self._offset = arrival - media_seconds
        self._reached = max(self._reached, media_seconds + self._offset)
        return self._reached

    def now(self, wall_seconds: float) -> float:
        """The time of the stream at a moment of the wall clock, never before what was reached."""
        return max(self._reached, wall_seconds - self._started_at)
