"""Frames: the output of every video source."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import SettingError


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
