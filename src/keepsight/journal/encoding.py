"""Arrays and times as SQLite stores them: little-endian BLOBs and ISO 8601 text."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


def float32_blob(values: NDArray[np.float32]) -> bytes:
    """Bytes of an array as little-endian float32."""
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def float32_array(blob: bytes) -> NDArray[np.float32]:
    """The float32 array `[n]` of a BLOB, a copy that may be written to."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def int32_blob(values: NDArray[np.int32]) -> bytes:
    """Bytes of an array as little-endian int32."""
    return np.ascontiguousarray(values, dtype="<i4").tobytes()


def int32_array(blob: bytes) -> NDArray[np.int32]:
    """The int32 array `[n]` of a BLOB, a copy that may be written to."""
    return np.frombuffer(blob, dtype="<i4").astype(np.int32)


def seconds_blob(values: Iterable[float]) -> bytes:
    """Bytes of times as little-endian float64."""
    return np.asarray(tuple(values), dtype="<f8").tobytes()


def seconds_tuple(blob: bytes) -> tuple[float, ...]:
    """The times of a BLOB."""
    return tuple(np.frombuffer(blob, dtype="<f8").tolist())


def moment_of(text: str) -> datetime:
    """The moment that `datetime.isoformat` wrote, with its time zone."""
    return datetime.fromisoformat(text)
