"""Waiting for what other threads, processes and machines do.

A busy machine is slow, not wrong: the deadline is far beyond what any of it takes, and no test asserts how long it was.
"""

import time
from collections.abc import Callable
from typing import TypeVar

PROCESS_SECONDS = 900.0
"""A process that should end and has not by then hangs. On a very busy machine its start alone takes minutes."""

DEADLINE_SECONDS = 120.0
"""After this long what was waited for will not come any more."""

POLL_SECONDS = 0.01

T = TypeVar("T")


def wait_for(
    look: Callable[[], T], what: object = "", pause: Callable[[], object] = lambda: time.sleep(POLL_SECONDS)
) -> T:
    """What `look` returns, once that is true.

    Args:
        look: asked again and again.
        what: was waited for, said where it does not come; called for it where it can be.
        pause: between two looks.
    """
    end = time.monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise AssertionError(f"waited {DEADLINE_SECONDS:g} s for {said or look}; it is {found!r}")
        pause()
    return found
