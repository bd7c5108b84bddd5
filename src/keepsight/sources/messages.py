r"""Message format for frames on pipes and sockets: one line of JSON each, followed by a frame's pixels.

    {"type": "info", "width": 640, "height": 360, ...}\n
    {"type": "frame", "pts_seconds": 2.0, "width": 640, "height": 360}\n <640 * 360 * 3 bytes, RGB, row by row>
    {"type": "end", "pictures_end_seconds": 61.5, "packets_end_seconds": 62.0}\n
    {"type": "error", "kind": "TruncatedVideoError", "message": "..."}\n

A frame after a gap has `"gap_before"`, a one-line reason. The times of an `end`, which may be missing, are the extent
of video and audio.

Any program that can write to a pipe can push frames (docs/sources.md). Lines and frames have size limits, because the
writer may be a decoder taken over by a hostile file.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeGuard, cast

import numpy as np

from keepsight.errors import SettingError, VideoError
from keepsight.incoming import one_line
from keepsight.video import Frame, VideoInfo
from keepsight.video.containers import MAX_PIXELS
from keepsight.video.packet_times import PacketExtent

MAX_LINE_BYTES = 16_384
"""Length limit of a JSON line."""

_PIXEL_BYTES = 3
_MAX_NUMBER = 1e18  # more than any time or count; Python integers are unbounded
_DATES = (-62_135_596_800, 253_402_300_799)  # years 1 to 9999 as Unix time


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        kind: `info`, `frame`, `end`, `error` or `heartbeat`.
        values: other values of its line.
        frame: the frame of a `frame`.
    """

    kind: str
    values: Mapping[str, Any]
    frame: Frame | None = None


def write_message(file: BinaryIO, kind: str, /, **values: Any) -> None:
    """Write and flush a message without pixels."""
    file.write(json.dumps({"type": kind, **values}).encode() + b"\n")
    file.flush()


def write_frame(file: BinaryIO, frame: Frame) -> None:
    """Write and flush a frame."""
    height, width, _ = frame.image.shape
    line = {"type": "frame", "pts_seconds": frame.pts_seconds, "width": width, "height": height}
    if frame.gap_before:
        line["gap_before"] = frame.gap_before
    file.write(json.dumps(line).encode() + b"\n")
    file.write(np.ascontiguousarray(frame.image).data)
    file.flush()


def read_message(read_line: Callable[[int], bytes], read_exactly: Callable[[int], bytes]) -> Message | None:
    """Next message; None at the end.

    Args:
        read_line: returns the next line with newline, up to a number of bytes; empty at the end.
        read_exactly: returns a number of bytes; fewer only at the end.

    Raises:
        VideoError: the message is malformed or too large.
    """
    line = read_line(MAX_LINE_BYTES)
    if not line:
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:  # also invalid UTF-8, and brackets nested thousands deep
        raise VideoError("a message must be one line of JSON") from error
    if not line.endswith(b"\n") or not isinstance(values, dict) or not isinstance(values.get("type"), str):
        raise VideoError(f'a message must be a JSON object with a "type" on a line of at most {MAX_LINE_BYTES} bytes')
    kind = values.pop("type")
    return Message(kind, values, _frame_of(values, read_exactly) if kind == "frame" else None)


def info_of(message: Message) -> VideoInfo:
    """Video info of an `info` message, checked for plausibility.

    Raises:
        VideoError: it is another message, incomplete, or implausible.
    """
    try:
        values = dict(message.values)
        info = VideoInfo(**values | {"video_streams": tuple(values.get("video_streams", ()))})
    except TypeError as error:
        raise VideoError(f"the first message must be video info, got {message.kind[:40]!r}") from error
    counts = (info.width, info.height, info.rotation_degrees, info.num_frames or 0)
    numbered = (info.video_stream, info.first_video_stream)
    numbers = (info.duration_seconds or 0, info.average_fps or 0, info.started_at or 0)
    is_possible = (
        all(type(count) is int and 0 <= count <= _MAX_NUMBER for count in (*counts, *numbered))
        and all(map(_is_number, numbers))
        and _DATES[0] <= (info.started_at or 0) <= _DATES[1]
        and isinstance(info.codec, str)
        and isinstance(info.is_live, bool)
        and all(isinstance(one, str) for one in info.video_streams)
    )
    if not is_possible:
        raise VideoError("invalid video info: size, rate or date out of range")
    return info


def extent_of(end: Message) -> PacketExtent | None:
    """Extent in an `end` message; None if absent or implausible."""
    seconds = (end.values.get("pictures_end_seconds"), end.values.get("packets_end_seconds"))
    if not all(map(_is_number, seconds)):
        return None
    return PacketExtent(*map(float, cast("tuple[float, float]", seconds)))


def _is_number(value: object) -> TypeGuard[int | float]:
    return type(value) in (int, float) and abs(cast("float", value)) <= _MAX_NUMBER  # False for NaN


def _frame_of(values: Mapping[str, Any], read_exactly: Callable[[int], bytes]) -> Frame:
    height, width, seconds = (values.get(name) for name in ("height", "width", "pts_seconds"))
    if not (type(height) is int and type(width) is int and height > 0 and width > 0):  # excludes True as a width
        raise VideoError(f"a frame's height and width must be above 0, got {height!r} and {width!r}")
    if height * width > MAX_PIXELS:
        raise VideoError(f"a frame must have at most {MAX_PIXELS} pixels, got {width} x {height}")
    if not _is_number(seconds):
        raise VideoError(f"a frame's pts_seconds must be a number of at most {_MAX_NUMBER:g}, got {seconds!r}")
    gap_before = values.get("gap_before", "")
    if not isinstance(gap_before, str):
        raise VideoError(f"a frame's gap_before must be text, got {gap_before!r}")
    pixels = read_exactly(height * width * _PIXEL_BYTES)
    if len(pixels) < height * width * _PIXEL_BYTES:
        raise VideoError("the last frame is truncated")
    try:
        return Frame(
            np.frombuffer(pixels, np.uint8).reshape(height, width, _PIXEL_BYTES),
            float(seconds),
            gap_before=one_line(gap_before),
        )
    except SettingError as error:
        raise VideoError(str(error)) from error
