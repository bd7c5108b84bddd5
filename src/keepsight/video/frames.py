"""Frames and clips: the output of every video source."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import SettingError
from keepsight.spans import Span


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a stream and its display time.

    Attributes:
        image: uint8 RGB `[height, width, 3]`. Frames that repeat a picture share one array, so it must not be modified.
        pts_seconds: time since the stream's zero, at least 0; for a file, the container's time as in players and
            `ffmpeg -ss`.
        media_seconds: time by the source's clock, for live sources, whose `pts_seconds` follow the wall clock; None if
            equal to `pts_seconds`.
        gap_before: one-line reason of a gap before this frame; empty without a gap.

    Raises:
        SettingError: the image has another dtype or shape, or the time is negative or NaN.
    """

    image: NDArray[np.uint8]
    pts_seconds: float
    media_seconds: float | None = None
    gap_before: str = ""

    def __post_init__(self) -> None:
        shape = self.image.shape
        if self.image.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise SettingError(
                f"a frame's image must be uint8 [height, width, 3], got {self.image.dtype} {list(shape)}"
            )
        if not (isfinite(self.pts_seconds) and self.pts_seconds >= 0):
            raise SettingError(f"a frame's pts_seconds must be at least 0, got {self.pts_seconds}")

    def __repr__(self) -> str:
        height, width, _ = self.image.shape
        return f"Frame({width}x{height} at {self.pts_seconds:.3f} s)"


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive sampled frames that are captioned together.

    Attributes:
        index: index in the stream, from 0.
        frames: at least one frame, in time order.
        span: from the first frame's time to the start of the next clip.
        num_frames_expected: frames of a full clip; 0 if it equals the number of frames.
        num_frames_dropped: expected frames that were dropped because the model was too slow.

    Raises:
        SettingError: there is no frame, the index is negative, or a frame is outside the span or out of order.
    """

    index: int
    frames: tuple[Frame, ...]
    span: Span
    num_frames_expected: int = 0
    num_frames_dropped: int = 0

    def __post_init__(self) -> None:
        if self.index < 0:
            raise SettingError(f"a clip's index must be at least 0, got {self.index}")
        times = [frame.pts_seconds for frame in self.frames]
        if not times or times != sorted(times):
            raise SettingError(f"a clip must have at least one frame, in time order, got {times} s")
        if times[0] < self.span.start_seconds or times[-1] > self.span.end_seconds:
            raise SettingError(f"a clip's frames must lie in its span {self.span}, got {times[0]} to {times[-1]} s")

    @property
    def gap_before(self) -> str:
        """One-line reason of a gap before this clip; empty without a gap."""
        return self.frames[0].gap_before

    @property
    def start_seconds(self) -> float:
        """Time of the first frame."""
        return self.span.start_seconds

    @property
    def end_seconds(self) -> float:
        """End of the clip, where the next one starts."""
        return self.span.end_seconds
