"""Conversion of decoded pictures to display RGB: upright, square pixels, display colours.

Uses `geometry` (rotation and pixel aspect), `colour` (tags) and `tone` (HDR and wide gamut).
"""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from keepsight.video.colour import light_of, matrix_of
from keepsight.video.geometry import display_matrix, square_pixel_size, turned
from keepsight.video.tone import as_displayed

# Without the last two flags swscale takes shortcuts: up to two levels too dark, and blocky chroma.
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class RgbConverter:
    """Converts decoded pictures to display RGB.

    Transparent areas are shown on black. Interlaced pictures keep both fields woven. HDR and wide-gamut pictures are
    tone-mapped for an SDR display (`keepsight.video.tone`).
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """Picture as uint8 RGB `[height, width, 3]`."""
        light = light_of(picture)
        if not light.is_as_shown:
            image = as_displayed(np.asarray(self._reformatted(picture, "rgb48le").to_ndarray(), np.uint16), light)
        elif any(component.is_alpha for component in picture.format.components):
            image = _on_black(np.asarray(self._reformatted(picture, "rgba").to_ndarray(), np.uint8))
        else:
            image = np.asarray(self._reformatted(picture, "rgb24").to_ndarray(), np.uint8)
        return turned(image, display_matrix(picture))

    def _reformatted(self, picture: VideoFrame, pixel_format: str) -> VideoFrame:
        width, height = square_pixel_size(picture)
        return self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format=pixel_format,
            src_colorspace=matrix_of(picture),
            interpolation=_SCALING,
            threads=1,
        )


def _on_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    opacity = rgba[:, :, 3:].astype(np.uint16)
    return ((rgba[:, :, :3] * opacity + 127) // 255).astype(np.uint8)
