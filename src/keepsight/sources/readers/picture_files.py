"""One picture from a file: JPEG, PNG, WebP or BMP, upright, RGB."""

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

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


def read_picture(path: Path) -> Picture:
    """Read a picture of at most `containers.MAX_PIXELS` pixels; of an animated one the first.

    Raises:
        PictureError: it can't be read.
    """
    try:
        # Pillow warns of large pictures and of odd metadata; neither is to be printed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise PictureError(f"{path.name} has more than {MAX_PIXELS} pixels")
                opened.load()
                coding = (opened.format or "unknown").lower()
                return Picture(np.asarray(_rgb(_upright(opened)), np.uint8), coding)
    except _MALFORMED as error:
        raise PictureError(f"{path.name} can't be read: {error}") from error


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
