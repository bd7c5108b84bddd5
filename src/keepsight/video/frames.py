"""Frames and clips: what every source of video hands on."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import SettingError
from keepsight.spans import Span


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a stream and the time at which it was on screen.

    Attributes:
        image: uint8 RGB `[height, width, 3]`. Frames that repeat one picture share one array, so it is not to be
            written to.
        pts_seconds: time since the first picture of the stream, 0 or later.
        media_seconds: time by the source's own clock, for live sources, whose `pts_seconds` follow the wall clock;
            None where `pts_seconds` are the source's own.

    Raises:
        SettingError: the image has another type or shape, or the time is negative or not a number.
    """

    image: NDArray[np.uint8]
    pts_seconds: float
    media_seconds: float | None = None

    def __post_init__(self) -> None:
        shape = self.image.shape
        if self.image.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise SettingError(f"a frame's image is uint8 [height, width, 3], not {self.image.dtype} {list(shape)}")
        if not (isfinite(self.pts_seconds) and self.pts_seconds >= 0):
            raise SettingError(f"a frame's pts_seconds is 0 or more, not {self.pts_seconds}")

    def __repr__(self) -> str:
        height, width, _ = self.image.shape
        return f"Frame({width}x{height} at {self.pts_seconds:.3f} s)"


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive sampled frames that are described together.

    Attributes:
        index: place of the clip in its stream, from 0.
        frames: at least one frame, in time order.
        span: from the first frame's time to the time at which the next clip starts.
        num_frames_expected: frames of a full clip, if it may have fewer; 0 for as many as it has.
        num_frames_dropped: of the expected ones, those that came and were given up because the model was too slow.

    Raises:
        SettingError: there is no frame, the index is negative, or a frame lies outside the span or out of order.
    """

    index: int
    frames: tuple[Frame, ...]
    span: Span
    num_frames_expected: int = 0
    num_frames_dropped: int = 0

    def __post_init__(self) -> None:
        if self.index < 0:
            raise SettingError(f"a clip's index is 0 or more, not {self.index}")
        times = [frame.pts_seconds for frame in self.frames]
        if not times or times != sorted(times):
            raise SettingError(f"a clip's frames are one or more in time order, not at {times} s")
        if times[0] < self.span.start_seconds or times[-1] > self.span.end_seconds:
            raise SettingError(f"a clip's frames lie in its span {self.span}, not from {times[0]} to {times[-1]} s")

    @property
    def start_seconds(self) -> float:
        """Time of the first frame."""
        return self.span.start_seconds

    @property
    def end_seconds(self) -> float:
        """Time up to which the clip reaches, where the next one starts."""
        return self.span.end_seconds
