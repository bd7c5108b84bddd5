"""Garbage collection in a process that imports torch, whose hundreds of thousands of objects live until it ends.

Collections while they are imported, and when the interpreter ends, find nothing among them, and take a third of the CPU
time of a short command (`benchmarks/first_second.py`).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """Import modules and load a model without garbage collection."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def skip_last_collection() -> None:
    """Leave all objects out of the collection at the interpreter's end. For the last statement of a process."""
    gc.freeze()
