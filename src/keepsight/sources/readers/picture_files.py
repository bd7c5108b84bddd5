"""One picture from a file: JPEG, PNG, WebP or BMP, upright, RGB."""

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from keepsight.video.containers import MAX_PIXELS

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
# What Pillow raises on malformed files, beside OSError.
_MALFORMED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)


class PictureError(Exception):
    """A picture that can't be read, is of another format, or is too large; its folder goes on without it."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was read.

    Attributes:
        image: uint8 RGB `[height, width, 3]`, turned as its EXIF data says; transparent parts are black.
        coding: its format, such as `jpeg`.
    """

    image: NDArray[np.uint8]
    coding: str


def read_picture(file: Path | BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture; of an animated one the first.

    Args:
        file: its path, or what it is read from.
        name: what errors call it.
        max_pixels: that it may have.

    Raises:
        PictureError: it can't be read.
    """
    try:
        # Pillow warns of large pictures and of odd metadata; neither is to be printed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as opened:
                if opened.width * opened.height > max_pixels:
                    raise PictureError(f"{name} has more than {max_pixels} pixels")
                opened.load()
                coding = (opened.format or "unknown").lower()
                return Picture(np.asarray(_rgb(_upright(opened)), np.uint8), coding)
    except _MALFORMED as error:
        raise PictureError(f"{name} can't be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Pillow names what it read from, which says nothing where that is no path."""
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(_FORMATS)}"
    return str(error)


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except _MALFORMED:  # the pixels are good, only what is said of them is not
        return picture


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel, which a plain conversion would cut off at 255
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
