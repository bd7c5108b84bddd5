"""Frames pushed by another program, on a pipe or Unix socket, in the format of `messages` (docs/sources.md).

The program gives each picture's display time. Times count from its first picture; a picture stays until the next. A
time that runs back slightly is held; one that runs back by more than a second, or leaps ahead of real time by more than
`MAX_LEAP_SECONDS`, means a clock change, and the stream continues from there.
"""

import re
import socket
import stat
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from keepsight.errors import (
    NotAVideoError,
    SettingError,
    SourceNotFoundError,
    SourceUnreachableError,
    VideoError,
)
from keepsight.sources.live_clock import LeaplessClock
from keepsight.sources.messages import Message, read_message
from keepsight.video import Frame, VideoInfo
from keepsight.video.clock import FrameClock
from keepsight.video.packet_times import PacketExtent
from keepsight.video.pictures import RgbConverter
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen

MAX_LEAP_SECONDS = Fraction(60)
"""How far a picture's time may leap ahead of its arrival, since programs may push in bursts."""

_ANNOUNCEMENTS = ("info", "heartbeat")
_KEPT_VALUES = ("average_fps", "started_at")
# Pushers write 0.1 and mean a tenth; the nearest float is slightly more.
_FINEST_FRACTION = 1_000_000
_CREDENTIALS = re.compile(r"//[^/\s]*@")
_MOST_SHOWN_CHARACTERS = 300
_LARGEST_NUMBER = 1e12


class PushedReader:
    """Pushed frames; has the methods of `reader.Reader`, for one pass.

    Attributes:
        info: size of the first frame, with `average_fps` and `started_at` of an `info` message before it.
    """

    extent: PacketExtent | None = None  # there are no packets with a duration to compare with

    def __init__(self, source: BinaryIO | socket.socket, name: str = "the pushing program") -> None:
        """Take ownership of a file or connected socket, and wait for the first frame.

        Args:
            source: closed by `close`.
            name: name in errors.

        Raises:
            VideoError: a message is malformed.
            SourceUnreachableError: it ended before the first frame.
        """
        self._name = name
        self._socket = source if isinstance(source, socket.socket) else None
        self._file = source.makefile("rb") if isinstance(source, socket.socket) else source
        self._failure: VideoError | None = None
        self._is_begun = False
        self._is_closed = False
        self._said: dict[str, object] = {}
        first = self._next_frame()
        if first is None:
            raise self._failure or SourceUnreachableError(f"{name} ended before its first frame")
        self._first = first
        self.info = self._describe(first)

    def close(self) -> None:
        """Close the file or socket. Idempotent."""
        self._is_closed = True
        self._file.close()
        if self._socket is not None:
            self._socket.close()

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Frames at instants k / sample_fps after the first, as they come: see `reader.Reader`.

        Raises:
            SettingError: an argument is out of range; pushed frames start now, at 0 (raised at once).
            VideoError: it is closed, or was already read (raised at once); or a message is malformed or truncated,
                after all frames.
            SourceUnreachableError: the program ended without an `end` message; raised after all frames.
        """
        if start_seconds:
            raise SettingError(f"pushed frames start now, so start_seconds must be 0, got {start_seconds}")
        if self._is_closed or self._is_begun:
            raise VideoError(f"{self._name} can be read only once, while open")
        self._is_begun = True
        return self._frames(SampleGrid(sample_fps), RgbConverter())

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Iterator[Frame]:
        def convert(pushed: Frame) -> NDArray[np.uint8]:
            return converter.convert(VideoFrame.from_ndarray(pushed.image, format="rgb24"))

        yield from frames_on_screen(self._pictures(1 / grid.rate), grid, convert)
        if self._failure is not None:
            raise self._failure

    def _pictures(self, usual_duration: Fraction) -> Iterator[TimedPicture[Frame]]:
        clock = FrameClock()
        frame: Frame | None = self._first
        leapless = LeaplessClock(MAX_LEAP_SECONDS)
        before: Fraction | None = None
        stays = usual_duration  # the last picture stays as long as the one before, so no instant is invented
        while frame is not None:
            pushed_at = Fraction(frame.pts_seconds).limit_denominator(_FINEST_FRACTION)
            start = clock.place(leapless.without_leap(pushed_at, usual_duration), usual_duration)
            if before is not None and start > before:
                stays = min(start - before, usual_duration)
            yield TimedPicture(start, stays, frame)
            before, frame = start, self._next_frame()

    def _next_frame(self) -> Frame | None:
        """Next frame; None at the end, with errors in `_failure`."""
        try:
            while (message := self._next_message()) is not None:
                if message.frame is not None:
                    return message.frame
                self._said |= {name: message.values[name] for name in _KEPT_VALUES if name in message.values}
        except VideoError as error:
            self._failure = error
        return None

    def _next_message(self) -> Message | None:
        """Next frame or info message; None at a clean end."""
        try:
            message = read_message(self._file.readline, self._file.read)
        except OSError as error:
            raise SourceUnreachableError(f"{self._name} can't be read: {error.strerror or error}") from error
        if message is None:
            raise SourceUnreachableError(f'{self._name} ended without an "end" message')
        if message.kind == "end":
            return None
        if message.kind == "error":
            words = " ".join(str(message.values.get("message")).split())
            reason = _CREDENTIALS.sub("//***@", words)[:_MOST_SHOWN_CHARACTERS]
            raise VideoError(f"{self._name} reported: {reason}")
        if message.frame is None and message.kind not in _ANNOUNCEMENTS:
            raise VideoError(f"a message must be info, frame, heartbeat, end or error, got {message.kind[:40]!r}")
        return message

    def _describe(self, first: Frame) -> VideoInfo:
        height, width, _ = first.image.shape
        return VideoInfo(
            width=width,
            height=height,
            duration_seconds=None,
            average_fps=_number(self._said.get("average_fps")),
            codec="rawvideo",
            rotation_degrees=0,
            num_frames=None,
            is_live=True,
            started_at=_number(self._said.get("started_at")),
        )


def open_pushed(address: str) -> PushedReader:
    """Wait for another program's first frame; the caller closes the reader.

    Args:
        address: `-` for stdin; a FIFO's path, whose writing end may be opened later; `unix:PATH` for a Unix socket on
            which the program listens.

    Raises:
        SourceNotFoundError: the path does not exist.
        NotAVideoError: it is not a FIFO or socket.
        SourceUnreachableError: no program listens on the socket, or it ended before its first frame.
        VideoError: a message is malformed.
    """
    if address == "-":
        return PushedReader(sys.stdin.buffer)
    source = _open(address)
    try:
        return PushedReader(source, address)
    except VideoError:
        source.close()
        raise


def _open(address: str) -> BinaryIO | socket.socket:
    path = Path(address.removeprefix("unix:"))
    is_socket = address.startswith("unix:")
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISSOCK(mode) if is_socket else stat.S_ISFIFO(mode)):
            raise NotAVideoError(f"{path} is not a {'Unix socket' if is_socket else 'FIFO'}")
        return _connected(path) if is_socket else path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFoundError(f"nothing exists at {path}") from error
    except OSError as error:
        raise SourceUnreachableError(f"{path} can't be opened: {error.strerror or error}") from error


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _number(said: object) -> float | None:
    """Positive number in an info message, or None."""
    if not isinstance(said, int | float) or isinstance(said, bool):
        return None
    return float(said) if 0 < said < _LARGEST_NUMBER else None
