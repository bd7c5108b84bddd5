"""Frames that another program pushes, on a pipe or a Unix socket, in the format of `messages` (docs/sources.md).

The other program says when each picture came on screen. Times count from its first picture; a picture stays until the
next one. A time that runs back a little is held, one that runs back by more than a second or leaps ahead by more than
an hour is a clock that was set anew: the stream goes on from there.
"""

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
from keepsight.sources.messages import Message, read_message
from keepsight.video import Frame, VideoInfo
from keepsight.video.clock import FrameClock
from keepsight.video.pictures import RgbConverter
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen

_ANNOUNCEMENTS = ("info", "heartbeat")
_KEPT_VALUES = ("average_fps", "started_at")
# A pusher writes 0.1 and means a tenth; the nearest float is a little more.
_FINEST_FRACTION = 1_000_000
_MOST_SHOWN_CHARACTERS = 300
_LARGEST_NUMBER = 1e12


class PushedReader:
    """Pushed frames; has the methods of `reader.Reader`, for one reading.

    Attributes:
        info: size of the first frame, and what an `info` message before it says of `average_fps` and `started_at`.
    """

    def __init__(self, source: BinaryIO | socket.socket, name: str = "the program that pushes frames") -> None:
        """Take over a file or a connected socket, and wait for the first frame.

        Args:
            source: is closed by `close`.
            name: what errors call it.

        Raises:
            VideoError: what comes is no message.
            SourceUnreachableError: there is an end before the first frame.
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
        """Close the file or socket. A second call does nothing."""
        self._is_closed = True
        self._file.close()
        if self._socket is not None:
            self._socket.close()

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """Frames at the instants k / sample_fps after the first one, as they come: see `reader.Reader`.

        Raises:
            SettingError: an argument is outside its range; pushed frames start now, at 0 (at once).
            VideoError: it is closed, or was read before (at once); or what comes is no message, or one cut off, after
                every frame before that.
            SourceUnreachableError: the other program ended without an `end` message; after every frame before that.
        """
        if start_seconds:
            raise SettingError(f"pushed frames start now, so start_seconds is 0, not {start_seconds}")
        if self._is_closed or self._is_begun:
            raise VideoError(f"{self._name} is read once, while it is open")
        self._is_begun = True
        return self._frames(SampleGrid(sample_fps), RgbConverter(max_side_pixels))

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Iterator[Frame]:
        def convert(pushed: Frame) -> NDArray[np.uint8]:
            return converter.convert(VideoFrame.from_ndarray(pushed.image, format="rgb24"))

        yield from frames_on_screen(self._pictures(1 / grid.rate), grid, convert)
        if self._failure is not None:
            raise self._failure

    def _pictures(self, usual_duration: Fraction) -> Iterator[TimedPicture[Frame]]:
        clock = FrameClock()
        frame: Frame | None = self._first
        while frame is not None:
            pushed_at = Fraction(frame.pts_seconds).limit_denominator(_FINEST_FRACTION)
            yield TimedPicture(clock.place(pushed_at, usual_duration), usual_duration, frame)
            frame = self._next_frame()

    def _next_frame(self) -> Frame | None:
        """The next frame; None at the end, where `_failure` says what was wrong with it."""
        try:
            while (message := self._next_message()) is not None:
                if message.frame is not None:
                    return message.frame
                self._said |= {name: message.values[name] for name in _KEPT_VALUES if name in message.values}
        except VideoError as error:
            self._failure = error
        return None

    def _next_message(self) -> Message | None:
        """A frame or what announces it; None at the orderly end."""
        try:
            message = read_message(self._file.readline, self._file.read)
        except OSError as error:
            raise SourceUnreachableError(f"{self._name} can't be read: {error.strerror or error}") from error
        if message is None:
            raise SourceUnreachableError(f'{self._name} ended without an "end" message')
        if message.kind == "end":
            return None
        if message.kind == "error":
            reason = " ".join(str(message.values.get("message")).split())[:_MOST_SHOWN_CHARACTERS]
            raise VideoError(f"{self._name} says: {reason}")
        if message.frame is None and message.kind not in _ANNOUNCEMENTS:
            raise VideoError(f"a message is info, frame, heartbeat, end or error, not {message.kind[:40]!r}")
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
        address: `-` for stdin; the path of a FIFO, whose writing end may be opened later; `unix:PATH` for a Unix
            socket at which the other program listens.

    Raises:
        SourceNotFoundError: there is nothing at the path.
        NotAVideoError: it is no FIFO, or no socket.
        SourceUnreachableError: nobody listens at the socket, or the program ended before its first frame.
        VideoError: what comes is no message.
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
            raise NotAVideoError(f"{path} is no {'Unix socket' if is_socket else 'FIFO'}")
        return _connected(path) if is_socket else path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFoundError(f"nothing is at {path}") from error
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
    """A number above 0 that an announcement says, or None."""
    if not isinstance(said, int | float) or isinstance(said, bool):
        return None
    return float(said) if 0 < said < _LARGEST_NUMBER else None
