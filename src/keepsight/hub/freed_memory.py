"""Return freed memory to the system, where the C library is glibc.

A server starts and ends streams for weeks, each with its own threads. glibc gives threads up to eight heaps ("arenas")
per core and keeps freed memory in them: a few busy minutes leave hundreds of megabytes unused. Measured in
docs/serving.md, "Load".

Sources: mallopt(3) and malloc_trim(3) of the Linux manual pages.
"""

import ctypes
import sys
from functools import cache

_M_ARENA_MAX = -8
_NUM_ARENAS = 2


def keep_few_heaps() -> bool:
    """Make all threads share two heaps. Call it at process start; only the process's owner should decide this.

    Returns:
        Whether the C library supports the setting.
    """
    library = _glibc()
    return library is not None and library.mallopt(_M_ARENA_MAX, _NUM_ARENAS) == 1


def give_back() -> bool:
    """Return free pages of all heaps to the system. Thread-safe.

    Returns:
        Whether any memory was returned.
    """
    library = _glibc()
    return library is not None and library.malloc_trim(0) == 1


@cache
def _glibc() -> ctypes.CDLL | None:
    """This process's C library if it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
