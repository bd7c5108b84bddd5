"""Freed memory goes back to the system, where the C library is glibc.

A server begins and ends streams for weeks, each with threads of its own. glibc gives threads heaps ("arenas") of their
own, up to eight for each core, and keeps what is freed in them for their next use: a few busy minutes leave hundreds of
megabytes that nobody uses. Measured in docs/serving.md, "Load".

Sources: mallopt(3) and malloc_trim(3) of the Linux manual pages.
"""

import ctypes
import sys
from functools import cache

_M_ARENA_MAX = -8
_NUM_ARENAS = 2


def keep_few_heaps() -> bool:
    """Let threads share two heaps from now on. This is for a process's first lines, and for its owner to decide.

    Returns:
        Whether the C library has such a setting.
    """
    library = _glibc()
    return library is not None and library.mallopt(_M_ARENA_MAX, _NUM_ARENAS) == 1


def give_back() -> bool:
    """Hand free pages of all heaps back to the system. From any thread; other threads go on meanwhile.

    Returns:
        Whether any was handed back.
    """
    library = _glibc()
    return library is not None and library.malloc_trim(0) == 1


@cache
def _glibc() -> ctypes.CDLL | None:
    """This process's C library, where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
