"""Frames that clients push over HTTP: from a request's body to the thread that watches, a message at a time.

The thread sees what it would see of a program that pushes on a pipe (`sources.readers.pushed`). It takes messages as
fast as they come; what the model is too slow for is dropped behind it, by the rule for live sources, and counted.
"""

import io
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO, cast

from keepsight.errors import SettingError, SourceStalledError
from keepsight.server.failures import conflict, too_many
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.backoff import Backoff
from keepsight.sources.messages import read_message
from keepsight.sources.readers.pushed import PushedReader
from keepsight.sources.settings import SourceSettings
from keepsight.video import Frame, VideoInfo

PUSH_SCHEME = "push:"
"""How the name of such a source begins: `push:NAME`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MOST_WAITING = 2
_PATIENCE_SECONDS, _BETWEEN_SECONDS = 10.0, 0.2
_NO_SOONER = Backoff(0.1, 0.2)
_UNKNOWN = VideoInfo(0, 0, None, None, "rawvideo", 0, None, is_live=True)


class MessagePipe(io.BufferedIOBase):
    """A file for one reader whose content is put in message by message; a few may wait."""

    def __init__(self) -> None:
        self.silence_seconds: float | None = None
        self._waiting: deque[bytes] = deque()
        self._present = BytesIO()
        self._is_over = False
        self._changed = threading.Condition()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is read."""
        return self._is_over

    def put(self, message: bytes, until: float) -> bool:
        """Add a whole message when there is room; False where there was none by a time of the monotonic clock."""
        with self._changed:
            seconds = max(0.0, until - time.monotonic())
            self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING or self._is_over, seconds)
            if len(self._waiting) >= _MOST_WAITING or self._is_over:
                return False
            self._waiting.append(message)
            self._changed.notify_all()
            return True

    def readline(self, size: int | None = -1, /) -> bytes:
        """See `io.IOBase`: of the message at hand, or the next one.

        Raises:
            SourceStalledError: none came for too long.
        """
        return self._present.readline(size) or self._next().readline(size)

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io.BufferedIOBase`: of the message at hand."""
        return self._present.read(size)

    def close(self) -> None:
        """From any thread: nothing more is put in or read."""
        with self._changed:
            self._is_over = True
            self._waiting.clear()
            self._changed.notify_all()

    def _next(self) -> BytesIO:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting) or self._is_over, self.silence_seconds):
                raise SourceStalledError(f"no frame was pushed for {self.silence_seconds:g} s")
            self._present = BytesIO(self._waiting.popleft() if self._waiting else b"")
            self._changed.notify_all()
            return self._present


class PushedConnection:
    """What the thread that watches takes frames from; see `sources.supervision.Connection`.

    Args:
        name: of the source.
    """

    def __init__(self, name: str) -> None:
        self.info = _UNKNOWN
        self.pipe = MessagePipe()
        self._name = name

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        """Frames as they are pushed.

        Raises:
            SourceStalledError: none came for so long.
            VideoError: what was pushed says that something is wrong.
        """
        self.pipe.silence_seconds = silence_seconds
        reader = PushedReader(cast("BinaryIO", self.pipe), self._name)
        self.info = reader.info
        yield from reader.sampled_frames(sample_fps, start_seconds=start_seconds)

    def cancel(self) -> None:
        """From any thread: no more frames come."""
        self.pipe.close()

    def close(self) -> None:
        """Let go of it."""
        self.pipe.close()


class PushPoint:
    """Where clients push the frames of one source, and the thread that watches it takes them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._connection: PushedConnection | None = None
        self._is_pushed_to = False

    def connect(self) -> PushedConnection:
        """A new connection, in place of the one before."""
        with self._changed:
            self._connection = PushedConnection(self._name)
            self._changed.notify_all()
            return self._connection

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Only one client pushes at a time.

        Raises:
            HTTPException: 409, another one does.
        """
        with self._changed:
            if self._is_pushed_to:
                raise conflict("another request is pushing frames to this stream")
            self._is_pushed_to = True
        try:
            yield
        finally:
            with self._changed:
                self._is_pushed_to = False

    def push(self, message: bytes, is_watched: Callable[[], bool]) -> None:
        """Hand over a whole message.

        Raises:
            VideoError: it is none.
            HTTPException: 409, nobody watches the stream any more; 429, nobody took it in time.
        """
        content = BytesIO(message)
        read_message(content.readline, content.read)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            if not is_watched():
                raise conflict("the stream is not being watched: resume it")
            connection = self._connection
            if connection is not None and connection.pipe.put(message, until):
                return
            with self._changed:  # between two connections
                if self._connection is connection:
                    self._changed.wait(_BETWEEN_SECONDS)
        raise too_many("nobody took the frame in time; try again")


class PushPoints:
    """The push points of a server, by the name of their source. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, PushPoint] = {}

    def of(self, name: str) -> PushPoint:
        """The point of a source, made where there is none yet."""
        with self._lock:
            return self._points.setdefault(name, PushPoint(name))

    def forget(self, name: str) -> None:
        """The last stream of a source was removed."""
        with self._lock:
            self._points.pop(name, None)


def push_address(source: str) -> SourceAddress:
    """What `push:NAME` means.

    Raises:
        SettingError: the name has signs that it may not have.
    """
    if not _NAME.fullmatch(source.removeprefix(PUSH_SCHEME)):
        raise SettingError("push:NAME has a name of 1 to 64 letters, digits, dots, dashes and underscores")
    return SourceAddress(SourceKind.PUSHED, source, source)


def push_settings(sources: SourceSettings) -> SourceSettings:
    """As others are read, but whoever pushes again is not kept waiting: there is no server to be spared."""
    return replace(sources, supervision=replace(sources.supervision, backoff=_NO_SOONER))


def is_pushed(source: str) -> bool:
    """Whether a source's name is that of frames that are pushed over HTTP."""
    return source.startswith(PUSH_SCHEME)
