"""Encoding of stored values: numbers as bytes, frames as a contact sheet."""

import io
from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def float32_blob(values: NDArray[np.float32]) -> bytes:
    """Little-endian float32 bytes of an array."""
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def float32_array(blob: bytes) -> NDArray[np.float32]:
    """Float32 array `[n]` of a BLOB, as a writable copy."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def int32_blob(values: NDArray[np.int32]) -> bytes:
    """Little-endian int32 bytes of an array."""
    return np.ascontiguousarray(values, dtype="<i4").tobytes()


def int32_array(blob: bytes) -> NDArray[np.int32]:
    """Int32 array `[n]` of a BLOB, as a writable copy."""
    return np.frombuffer(blob, dtype="<i4").astype(np.int32)


def int64_blob(values: NDArray[np.int64]) -> bytes:
    """Little-endian int64 bytes of an array."""
    return np.ascontiguousarray(values, dtype="<i8").tobytes()


def int64_array(blob: bytes) -> NDArray[np.int64]:
    """Int64 array `[n]` of a BLOB, as a writable copy."""
    return np.frombuffer(blob, dtype="<i8").astype(np.int64)


def seconds_blob(values: Iterable[float]) -> bytes:
    """Little-endian float64 bytes of times."""
    return np.asarray(tuple(values), dtype="<f8").tobytes()


def seconds_tuple(blob: bytes) -> tuple[float, ...]:
    """Times of a BLOB."""
    return tuple(np.frombuffer(blob, dtype="<f8").tolist())


def moment_of(text: str) -> datetime:
    """Parse a `datetime.isoformat` text with time zone."""
    return datetime.fromisoformat(text)


THUMBNAIL_WIDTH_PIXELS = 128
"""Width of one frame in a contact sheet."""

_JPEG_MAX_PIXELS = 65_500


def contact_sheet(frames: Sequence[NDArray[np.uint8]], *, width_pixels: int = THUMBNAIL_WIDTH_PIXELS) -> bytes:
    """JPEG of the frames side by side, each `width_pixels` wide, or less if the whole would exceed JPEG's width limit.

    Args:
        frames: uint8 RGB `[height, width, 3]`, at least one. All are scaled to the first one's aspect ratio.

    Returns:
        JPEG bytes; `split_sheet` reverses it.
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
    """Frames of a contact sheet, uint8 RGB, oldest first."""
    with Image.open(io.BytesIO(sheet)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return list(np.split(pixels, num_frames, axis=1))


def kept_cells(
    kept_indices: Iterable[int], token_grid: tuple[int, int], num_frames: int, frames_per_step: int
) -> list[tuple[int, int, int]]:
    """First frame, row and column of each kept token of a clip, in the order of `kept_indices`.

    Indices outside the clip's frames are left out: a picture must not fail over one odd record.

    Args:
        kept_indices: places of tokens in the clip, step after step, row by row.
        token_grid: rows and columns of tokens in one step.
        num_frames: of the clip.
        frames_per_step: neighbouring frames that share a step.
    """
    rows, columns = token_grid
    cells = []
    for index in kept_indices:
        step, place = divmod(int(index), rows * columns)
        if 0 <= step * frames_per_step < num_frames:
            cells.append((step * frames_per_step, *divmod(place, columns)))
    return cells
