"""Frames on a pipe or a socket, between processes: one line of JSON each, and a frame's pixels behind its line.

    {"type": "info", "width": 640, "height": 360, ...}\\n
    {"type": "frame", "pts_seconds": 2.0, "width": 640, "height": 360}\\n <640 * 360 * 3 bytes, RGB, row by row>
    {"type": "end"}\\n
    {"type": "error", "kind": "TruncatedVideoError", "message": "..."}\\n

Any program that can write to a pipe can so push frames (docs/sources.md). Lines and pictures have limits, because the
writer may be a decoder that a hostile file has taken over.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeGuard, cast

import numpy as np

from keepsight.errors import SettingError, VideoError
from keepsight.video import Frame, VideoInfo
from keepsight.video.containers import MAX_PIXELS

MAX_LINE_BYTES = 16_384
"""Longest line of JSON."""

_PIXEL_BYTES = 3
_MAX_NUMBER = 1e18  # more than any time or count; Python's own numbers have no end
_DATES = (-62_135_596_800, 253_402_300_799)  # the years 1 to 9999, in seconds since 1970


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        kind: `info`, `frame`, `end`, `error` or `heartbeat`.
        values: the other values of its line.
        frame: of a `frame`.
    """

    kind: str
    values: Mapping[str, Any]
    frame: Frame | None = None


def write_message(file: BinaryIO, kind: str, /, **values: Any) -> None:
    """Write a message without pixels, and flush it."""
    file.write(json.dumps({"type": kind, **values}).encode() + b"\n")
    file.flush()


def write_frame(file: BinaryIO, frame: Frame) -> None:
    """Write a frame, and flush it."""
    height, width, _ = frame.image.shape
    line = {"type": "frame", "pts_seconds": frame.pts_seconds, "width": width, "height": height}
    file.write(json.dumps(line).encode() + b"\n")
    file.write(np.ascontiguousarray(frame.image).data)
    file.flush()


def read_message(read_line: Callable[[int], bytes], read_exactly: Callable[[int], bytes]) -> Message | None:
    """The next message; None where there is none any more.

    Args:
        read_line: the next line with its newline, at most so many bytes; empty at the end.
        read_exactly: so many bytes, fewer at the end only.

    Raises:
        VideoError: what came is no message, or larger than is allowed.
    """
    line = read_line(MAX_LINE_BYTES)
    if not line:
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:  # also bytes that are no UTF-8, and brackets thousands deep
        raise VideoError("a message is one line of JSON; something else came") from error
    if not line.endswith(b"\n") or not isinstance(values, dict) or not isinstance(values.get("type"), str):
        raise VideoError(f'a message is a JSON object with a "type" on a line of at most {MAX_LINE_BYTES} bytes')
    kind = values.pop("type")
    return Message(kind, values, _frame_of(values, read_exactly) if kind == "frame" else None)


def info_of(message: Message) -> VideoInfo:
    """What an `info` says, as far as it can be true.

    Raises:
        VideoError: it is none, lacks something, or says what no video can be.
    """
    try:
        info = VideoInfo(**message.values)
    except TypeError as error:
        raise VideoError(f"a message with what the video is was awaited, not {message.kind[:40]!r}") from error
    counts = (info.width, info.height, info.rotation_degrees, info.num_frames or 0)
    numbers = (info.duration_seconds or 0, info.average_fps or 0, info.started_at or 0)
    is_possible = (
        all(type(count) is int and 0 <= count <= _MAX_NUMBER for count in counts)
        and all(map(_is_number, numbers))
        and _DATES[0] <= (info.started_at or 0) <= _DATES[1]
        and isinstance(info.codec, str)
        and isinstance(info.is_live, bool)
    )
    if not is_possible:
        raise VideoError("a message says of a video what none can be")
    return info


def _is_number(value: object) -> TypeGuard[int | float]:
    return type(value) in (int, float) and abs(cast("float", value)) <= _MAX_NUMBER  # what is not a number is not


def _frame_of(values: Mapping[str, Any], read_exactly: Callable[[int], bytes]) -> Frame:
    height, width, seconds = (values.get(name) for name in ("height", "width", "pts_seconds"))
    if not (type(height) is int and type(width) is int and height > 0 and width > 0):  # True is no width
        raise VideoError(f"a frame has a height and a width above 0, not {height!r} and {width!r}")
    if height * width > MAX_PIXELS:
        raise VideoError(f"a frame has at most {MAX_PIXELS} pixels, not {width} x {height}")
    if not _is_number(seconds):
        raise VideoError(f"a frame's pts_seconds is a number of at most {_MAX_NUMBER:g}, not {seconds!r}")
    pixels = read_exactly(height * width * _PIXEL_BYTES)
    if len(pixels) < height * width * _PIXEL_BYTES:
        raise VideoError("the last frame is cut off")
    try:
        return Frame(np.frombuffer(pixels, np.uint8).reshape(height, width, _PIXEL_BYTES), float(seconds))
    except SettingError as error:
        raise VideoError(str(error)) from error
