"""Supervision of a live source: reconnects, and reports every state change.

A source is `connecting` until its first picture, `streaming` while pictures come, `stalled` on a frame timeout,
`offline` when the connection failed or ended, and `ended` after its own end, like a file's, or when stopped.
"""

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from keepsight.errors import SourceStalledError, SourceUnreachableError, VideoError
from keepsight.sources.live_clock import MAX_DRIFT_SECONDS, LiveClock, steady_seconds
from keepsight.sources.settings import SupervisionSettings
from keepsight.spans import format_clock
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent


class SourceState(StrEnum):
    """State of a source."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    OFFLINE = "offline"
    ENDED = "ended"


class Connection(Protocol):
    """One connection to a source, such as an `IsolatedReader`."""

    @property
    def info(self) -> VideoInfo:
        """Properties of its video."""

    @property
    def extent(self) -> PacketExtent | None:
        """Extent of the packets once the frames ended; None before, or if unknown."""

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        """Frames as they come; raises `SourceStalledError` on timeout."""

    def cancel(self) -> None:
        """End a pending wait for frames. Thread-safe."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True)
class StateChange:
    """A state change of a source.

    Attributes:
        state: the new state.
        at_seconds: stream time.
        reason: one line without credentials; empty if all is well.
    """

    state: SourceState
    at_seconds: float
    reason: str = ""


@dataclass(frozen=True)
class ClockStep:
    """A change of the system clock. Stream times are unaffected; their wall-clock times shift.

    Attributes:
        at_seconds: stream time of detection.
        by_seconds: forward, or back if negative.
    """

    at_seconds: float
    by_seconds: float


@dataclass(frozen=True)
class Clocks:
    """Clocks and waiting, replaceable in tests.

    Attributes:
        wall: Unix time, which may be changed at any time.
        steady: monotonic time (`live_clock.steady_seconds`).
        wait: waits some seconds or until stopped; True if stopped.
    """

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = steady_seconds
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


SMALLEST_STEP_SECONDS = 2.0
"""Smallest change of the system clock to report; a leap second is 1 s."""


class SupervisedSource:
    """Frames and state changes of a live source.

    Args:
        connect: opens a connection.
        sample_fps: frames per second.
        clock: maps frames to stream time.
        settings: timeouts.
        may_end: whether a clean end is final; otherwise reconnect, as for a camera.
        comes_back: whether reconnecting is possible; not for stdin.
        clocks: clocks to use.
        seed: seed of the backoff jitter; None for random.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        sample_fps: float,
        clock: LiveClock,
        settings: SupervisionSettings | None = None,
        *,
        may_end: bool = False,
        comes_back: bool = True,
        clocks: Clocks | None = None,
        seed: int | None = None,
    ) -> None:
        self._connect = connect
        self._sample_fps = sample_fps
        self._clock = clock
        self._settings = settings or SupervisionSettings()
        self._may_end = may_end
        self._comes_back = comes_back
        self._clocks = clocks or Clocks()
        self._draw = random.Random(seed)
        self._stop = threading.Event()
        self._connection: Connection | None = None
        self._streams = False  # in the current connection
        self._has_streamed = False  # in any connection
        self._latest_frame: float | None = None  # in the current connection
        self._wall_ahead = self._clocks.wall() - self._clocks.steady()
        self.state = SourceState.CONNECTING

    @property
    def now_seconds(self) -> float:
        """Current stream time."""
        return self._clock.now(self._clocks.steady())

    def can_wait(self, queue_frames: int) -> bool:
        """Whether the source can wait with its last frame, because it pushes faster than real time.

        Args:
            queue_frames: queue capacity; a lead above half of it, or above `MAX_DRIFT_SECONDS` if less, is faster than
                real time.
        """
        return self._clock.lead_seconds > min(MAX_DRIFT_SECONDS, queue_frames / self._sample_fps / 2)

    def stop(self) -> None:
        """Stop soon, interrupting a pending wait for a frame. Thread-safe."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            connection.cancel()

    def events(self) -> Generator[Frame | StateChange | ClockStep, None, None]:
        """Frames on the stream's clock, and state changes, until the source ends or `stop` is called.

        If frames are further apart than the timeout although the connection held (the machine was suspended), the
        source counts as stalled in between. A change of the system clock is reported before what follows.

        Raises:
            VideoError: the first connection fails for good: no such path, no video, a refused address. Later such
                errors are retried, since a camera may be starting up. A source without reconnect raises its error,
                after all earlier events.
        """
        attempt = -1
        while not self._stop.is_set():
            yield self._change(SourceState.CONNECTING)
            self._streams = False
            lost = yield from self._one_connection()
            if lost is None or self._stop.is_set():
                break
            self._has_streamed |= self._streams
            is_waited_for = self._comes_back and isinstance(lost, SourceUnreachableError | SourceStalledError)
            if not self._has_streamed and not is_waited_for:
                raise lost
            state = SourceState.STALLED if isinstance(lost, SourceStalledError) else SourceState.OFFLINE
            yield from self._clock_steps()
            yield self._change(state, str(lost))
            if not self._comes_back:
                yield self._change(SourceState.ENDED)
                raise lost
            attempt = 0 if self._streams else attempt + 1
            self._clocks.wait(self._stop, self._settings.backoff.wait_seconds(attempt, self._draw))
        yield self._change(SourceState.ENDED)

    @property
    def _silence_seconds(self) -> float:
        # A picture is known to be on screen once the next one comes, so sampling adds to the wait.
        return self._settings.stall_seconds + 1 / self._sample_fps

    def _one_connection(self) -> Generator[Frame | StateChange | ClockStep, None, VideoError | None]:
        """Events of one connection; returns the error that ended it, None at the source's own end."""
        try:
            with closing(self._connect()) as connection:
                self._connection = connection
                self._clock.connected()
                self._latest_frame = None
                for frame in connection.sampled_frames(self._sample_fps, silence_seconds=self._silence_seconds):
                    yield from self._clock_steps()
                    placed = self._placed(frame)
                    yield from self._stall_before(placed)
                    if not self._streams:
                        self._streams = True
                        yield self._change(SourceState.STREAMING)
                    handed_on_at = self._clocks.steady()
                    yield placed
                    self._clock.held_back(self._clocks.steady() - handed_on_at)
                if connection.info.is_live and not self._may_end:
                    return SourceUnreachableError("the source closed the connection")
                return None
        except VideoError as error:
            return error
        finally:
            self._connection = None

    def _placed(self, frame: Frame) -> Frame:
        seconds = self._clock.place(frame.pts_seconds, self._clocks.steady())
        return Frame(frame.image, seconds, media_seconds=frame.pts_seconds)

    def _stall_before(self, frame: Frame) -> Generator[StateChange, None, None]:
        """Report a stall before a frame that comes too long after the previous one."""
        latest, self._latest_frame = self._latest_frame, frame.pts_seconds
        if latest is not None and frame.pts_seconds - latest > self._silence_seconds + MAX_DRIFT_SECONDS:
            silence = format_clock(frame.pts_seconds - latest)
            reason = f"no frame for {silence}: the source or this machine was suspended"
            self.state, self._streams = SourceState.STALLED, False
            yield StateChange(SourceState.STALLED, frame.pts_seconds, reason)

    def _clock_steps(self) -> Generator[ClockStep, None, None]:
        """Change of the system clock since the last check, if any."""
        ahead = self._clocks.wall() - self._clocks.steady()
        step = ahead - self._wall_ahead
        if abs(step) >= SMALLEST_STEP_SECONDS:
            self._wall_ahead = ahead
            yield ClockStep(self.now_seconds, step)

    def _change(self, state: SourceState, reason: str = "") -> StateChange:
        self.state = state
        return StateChange(state, self.now_seconds, reason)
