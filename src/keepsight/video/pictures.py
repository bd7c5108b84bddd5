"""From a decoder's picture to an upright RGB array."""

from collections.abc import Mapping
from math import atan2, degrees
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from keepsight.errors import SettingError

_MATRIX_BYTES = 36
_UPRIGHT = (1, 0, 0, 1)


def display_matrix(picture: VideoFrame) -> tuple[int, int, int, int]:
    """How a picture is to be turned for display: signs `(a, b, c, d)` of a right-angled turn or mirroring.

    A point `(x, y)` of the stored picture goes to `(a x + c y, b x + d y)` (ISO/IEC 14496-12, section 6.2.2), `x` to
    the right and `y` down. A matrix in between is taken to the nearest right angle; one without a turn is upright.
    """
    # PyAV's stub has a dictionary by name here; the object is a mapping by type.
    matrix = cast("Mapping[Type, SideData]", picture.side_data).get(Type.DISPLAYMATRIX)
    if matrix is None or matrix.buffer_size != _MATRIX_BYTES:
        return _UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return -1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1
    return 0, -1 if b < 0 else 1, -1 if c < 0 else 1, 0


def rotation_degrees(matrix: tuple[int, int, int, int]) -> int:
    """Clockwise turn of a display matrix in degrees: 0, 90, 180 or 270; a mirroring is not counted."""
    a, b, _, _ = matrix
    return round(degrees(atan2(b, a))) % 360


def _upright(image: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    a, b, c, d = matrix
    if matrix == _UPRIGHT:
        return image
    turned = image.transpose(1, 0, 2) if a == 0 else image
    rows, columns = (slice(None, None, b or d), slice(None, None, a or c))
    return np.ascontiguousarray(turned[rows, columns])


class RgbConverter:
    """Converts decoded pictures to RGB, upright, and to a smaller size where one is wanted.

    Transparent parts are shown on black. Interlaced pictures come as stored, both fields woven. Pixels that are not
    square are left as they are.

    Args:
        max_side_pixels: the longer side of the result; a larger picture is scaled down in the same pass, keeping its
            aspect ratio, a smaller one is left alone. None leaves every size.

    Raises:
        SettingError: `max_side_pixels` is below 1.
    """

    def __init__(self, max_side_pixels: int | None = None) -> None:
        if max_side_pixels is not None and max_side_pixels < 1:
            raise SettingError(f"max_side_pixels is 1 or more, or None, not {max_side_pixels}")
        self._max_side_pixels = max_side_pixels
        self._reformatter = VideoReformatter()

    def convert(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """The picture as uint8 RGB `[height, width, 3]`."""
        has_alpha = any(component.is_alpha for component in picture.format.components)
        width, height = self._size(picture.width, picture.height)
        converted = self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format="rgba" if has_alpha else "rgb24",
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )
        image = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        return _upright(_on_black(image) if has_alpha else image, display_matrix(picture))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        longest = max(width, height)
        if self._max_side_pixels is None or longest <= self._max_side_pixels:
            return width, height
        scale = self._max_side_pixels / longest
        return max(1, round(width * scale)), max(1, round(height * scale))


def _on_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    opacity = rgba[:, :, 3:].astype(np.uint16)
    return ((rgba[:, :, :3] * opacity + 127) // 255).astype(np.uint8)
