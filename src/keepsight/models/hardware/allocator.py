"""The C library's allocator, told to give large blocks back once they are freed.

glibc keeps freed blocks of up to 32 MiB for later, and one shape of tensor seldom fits the hole of another: reading a
prompt then holds far more memory than what is alive, by an amount that cannot be computed before.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of mallopt(3)."""

LARGE_BLOCK_BYTES = 4 << 20
"""Blocks of this size are mapped apart, and unmapped when freed. Arithmetic on such a block takes far longer than that;
a small model's tensors are smaller."""

KEPT_BYTES = 64 << 20
"""Freed memory at the end of the heap that is kept for smaller blocks, as glibc keeps by itself."""


def return_large_blocks() -> bool:
    """Set the limits for this process; whether its C library has them. Without glibc nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
