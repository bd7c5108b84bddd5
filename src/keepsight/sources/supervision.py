"""A live source for as long as it is wanted: lost, found again, and every change of state told.

States are those that a user sees. A source is `connecting` until its first picture, `streaming` while pictures come,
`stalled` when none has come for too long, `offline` when the connection failed or ended, and `ended` when it came to an
end of its own, as a file does, or nobody wants it any more.
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
from keepsight.sources.live_clock import LiveClock
from keepsight.sources.settings import SupervisionSettings
from keepsight.video import Frame, VideoInfo


class SourceState(StrEnum):
    """How a source is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    OFFLINE = "offline"
    ENDED = "ended"


class Connection(Protocol):
    """One connection to a source: an `IsolatedReader`, or what stands for one in a test."""

    @property
    def info(self) -> VideoInfo:
        """What the source says of its pictures."""

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        """Frames as they come; `SourceStalledError` where none comes for so long."""

    def cancel(self) -> None:
        """From any thread: end the frames that are waited for in another one."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True)
class StateChange:
    """A source is in another state.

    Attributes:
        state: the new one.
        at_seconds: time of the stream.
        reason: one line, without credentials; empty where all is well.
    """

    state: SourceState
    at_seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Clocks:
    """Time as it is, or as a test wants it.

    Attributes:
        wall: seconds since 1970.
        wait: wait so many seconds, or until told to stop; True if it was told to.
    """

    wall: Callable[[], float] = time.time
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


class SupervisedSource:
    """Frames and changes of state of a live source.

    Args:
        connect: makes a connection.
        sample_fps: frames a second.
        clock: places frames in the stream's time.
        settings: when it counts as lost.
        may_end: whether a live source that ends in order is over; a camera that does is connected to again.
        comes_back: whether it can be connected to again at all; stdin cannot.
        clocks: of the system, or of a test.
        seed: of the chance in waits; None for another each time.
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
        self._streams = False  # in the present connection
        self._has_streamed = False  # in any
        self.state = SourceState.CONNECTING
        self.num_reconnects = 0

    @property
    def now_seconds(self) -> float:
        """Time of the stream at present."""
        return self._clock.now(self._clocks.wall())

    def stop(self) -> None:
        """End soon, from any thread; a frame that is waited for is not waited for any longer."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            connection.cancel()

    def events(self) -> Generator[Frame | StateChange, None, None]:
        """Frames, on the stream's clock, and changes of state, until the source ends or `stop` is called.

        Raises:
            VideoError: the first connection shows that there is nothing to be had: no such path, no video, an address
                that is refused. Later the same is waited out, for a camera may come up half way.
        """
        attempt = -1
        while not self._stop.is_set():
            yield self._change(SourceState.CONNECTING)
            self._streams = False
            lost = yield from self._one_connection()
            if lost is None or self._stop.is_set():
                break
            self._has_streamed |= self._streams
            if not self._has_streamed and not isinstance(lost, SourceUnreachableError | SourceStalledError):
                raise lost
            state = SourceState.STALLED if isinstance(lost, SourceStalledError) else SourceState.OFFLINE
            yield self._change(state, str(lost))
            if not self._comes_back:
                break
            attempt = 0 if self._streams else attempt + 1
            self._clocks.wait(self._stop, self._settings.backoff.wait_seconds(attempt, self._draw))
            self.num_reconnects += 1
        yield self._change(SourceState.ENDED)

    def _one_connection(self) -> Generator[Frame | StateChange, None, VideoError | None]:
        """Events of one connection; returns what ended it, None where the source came to its own end."""
        try:
            with closing(self._connect()) as connection:
                self._connection = connection
                self._clock.connected()
                # A picture is known to be on screen once the next one comes, so sampling adds to the wait.
                silence_seconds = self._settings.stall_seconds + 1 / self._sample_fps
                for frame in connection.sampled_frames(self._sample_fps, silence_seconds=silence_seconds):
                    if not self._streams:
                        self._streams = True
                        yield self._change(SourceState.STREAMING)
                    yield self._placed(frame)
                if connection.info.is_live and not self._may_end:
                    return SourceUnreachableError("the source ended the connection")
                return None
        except VideoError as error:
            return error
        finally:
            self._connection = None

    def _placed(self, frame: Frame) -> Frame:
        seconds = self._clock.place(frame.pts_seconds, self._clocks.wall())
        return Frame(frame.image, seconds, media_seconds=frame.pts_seconds)

    def _change(self, state: SourceState, reason: str = "") -> StateChange:
        self.state = state
        return StateChange(state, self.now_seconds, reason)
