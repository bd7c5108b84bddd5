"""A clip's frames as one small picture: side by side, oldest on the left."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL_WIDTH_PIXELS = 128
"""Width of one frame in a contact sheet."""

_JPEG_MAX_PIXELS = 65_500


def contact_sheet(frames: Sequence[NDArray[np.uint8]], *, width_pixels: int = THUMBNAIL_WIDTH_PIXELS) -> bytes:
    """JPEG of the frames side by side, each `width_pixels` wide (less where the whole would be too wide for JPEG).

    Args:
        frames: uint8 RGB `[height, width, 3]`, at least one. All take the first one's proportions.

    Returns:
        JPEG bytes; `split_sheet` takes them apart.
    """
    height, width = frames[0].shape[:2]
    width_pixels = max(1, min(width_pixels, _JPEG_MAX_PIXELS // len(frames)))
    tile = (width_pixels, max(1, min(4 * width_pixels, round(width_pixels * height / width))))
    sheet = Image.new("RGB", (tile[0] * len(frames), tile[1]))
    for place, frame in enumerate(frames):
        picture = Image.fromarray(frame).resize(tile, Image.Resampling.BILINEAR, reducing_gap=2.0)
        sheet.paste(picture, (place * tile[0], 0))
    buffer = io.BytesIO()
    sheet.save(buffer, format="JPEG", quality=82)
    return buffer.getvalue()


def split_sheet(sheet: bytes, num_frames: int) -> list[NDArray[np.uint8]]:
    """The frames of a contact sheet again, uint8 RGB, oldest first."""
    with Image.open(io.BytesIO(sheet)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return list(np.split(pixels, num_frames, axis=1))
