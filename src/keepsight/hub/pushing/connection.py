"""Connection that carries pushed frames: its address, pipe and reader."""

import io
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO, cast

from keepsight.errors import SettingError, SourceStalledError
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.backoff import Backoff
from keepsight.sources.readers.pushed import PushedReader
from keepsight.sources.settings import SourceSettings
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent

PUSH_SCHEME = "push:"
"""Prefix of a pushed source's name: `push:NAME`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NO_SOONER = Backoff(0.1, 0.2)


def push_address(source: str) -> SourceAddress:
    """Parse `push:NAME`.

    Raises:
        SettingError: NAME has characters that are not allowed.
    """
    if not _NAME.fullmatch(source.removeprefix(PUSH_SCHEME)):
        raise SettingError("NAME in push:NAME must be 1 to 64 letters, digits, dots, dashes and underscores")
    return SourceAddress(SourceKind.PUSHED, source, source)


def push_settings(sources: SourceSettings) -> SourceSettings:
    """Source settings for pushed frames: reconnect at once, since there is no server to spare."""
    return replace(sources, supervision=replace(sources.supervision, backoff=_NO_SOONER))


def is_pushed(source: str) -> bool:
    """Whether a source's name is that of frames pushed over HTTP."""
    return source.startswith(PUSH_SCHEME)


_MOST_WAITING = 2


class MessagePipe(io.BufferedIOBase):
    """File-like pipe for one reader, filled message by message; holds a few messages at most."""

    def __init__(self) -> None:
        self.silence_seconds: float | None = None
        self._waiting: deque[bytes] = deque()
        self._present = BytesIO()
        self._is_over = False
        self._changed = threading.Condition()

    @property
    def is_over(self) -> bool:
        """Whether the pipe is closed."""
        return self._is_over

    def put(self, message: bytes, until: float) -> bool:
        """Add a whole message; return False if there is no room until `until` (monotonic clock)."""
        with self._changed:
            seconds = max(0.0, until - time.monotonic())
            self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING or self._is_over, seconds)
            if len(self._waiting) >= _MOST_WAITING or self._is_over:
                return False
            self._waiting.append(message)
            self._changed.notify_all()
            return True

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read from the current message, or wait for the next (`io.IOBase`).

        Raises:
            SourceStalledError: no message came in time.
        """
        return self._present.readline(size) or self._next().readline(size)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read from the current message (`io.BufferedIOBase`)."""
        return self._present.read(size)

    def close(self) -> None:
        """Close the pipe; no more reads or writes. Thread-safe."""
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


_UNKNOWN = VideoInfo(0, 0, None, None, "rawvideo", 0, None, is_live=True)


class PushedConnection:
    """Connection from which the watching thread takes frames; see `sources.supervision.Connection`.

    Args:
        name: source name.
    """

    extent: PacketExtent | None = None  # pushed frames have no packet durations

    def __init__(self, name: str) -> None:
        self.info = _UNKNOWN
        self.pipe = MessagePipe()
        self._name = name

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        """Yield frames as they are pushed.

        Raises:
            SourceStalledError: no frame came in time.
            VideoError: the client reported an error.
        """
        self.pipe.silence_seconds = silence_seconds
        reader = PushedReader(cast("BinaryIO", self.pipe), self._name)
        self.info = reader.info
        yield from reader.sampled_frames(sample_fps, start_seconds=start_seconds)

    def cancel(self) -> None:
        """Stop yielding frames. Thread-safe."""
        self.pipe.close()

    def close(self) -> None:
        self.pipe.close()
