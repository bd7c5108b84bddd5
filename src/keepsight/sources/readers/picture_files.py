"""Reading one image file: JPEG, PNG, WebP or BMP, upright, RGB."""

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
# Raised by Pillow on malformed files, besides OSError.
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
    """An unreadable image, an unsupported format, or an image that is too large; its folder skips it."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image that was read.

    Attributes:
        image: uint8 RGB `[height, width, 3]`, rotated by EXIF; transparent areas are black.
        coding: its format, such as `jpeg`.
    """

    image: NDArray[np.uint8]
    coding: str


def read_picture(file: Path | BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image; of an animated PNG, its default image.

    Args:
        file: path or open file.
        name: name in errors.
        max_pixels: pixel limit.

    Raises:
        PictureError: it is unreadable.
    """
    try:
        # Suppress Pillow's warnings about large images and odd metadata.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as opened:
                if opened.width * opened.height > max_pixels:
                    raise PictureError(f"{name} has more than {max_pixels} pixels")
                if opened.format == "WEBP" and getattr(opened, "is_animated", False):
                    raise PictureError(f"{name} is an animated WebP, which is not supported")
                opened.load()
                coding = (opened.format or "unknown").lower()
                return Picture(np.asarray(_rgb(_upright(opened)), np.uint8), coding)
    except _MALFORMED as error:
        raise PictureError(f"{name} can't be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Pillow's messages name the file object, which is meaningless unless it is a path."""
    if isinstance(error, UnidentifiedImageError):
        return f"format must be one of {', '.join(_FORMATS)}"
    return str(error)


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except _MALFORMED:  # the pixels are good, only the metadata is not
        return picture


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits per pixel, which plain conversion would clip at 255
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
