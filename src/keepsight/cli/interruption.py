"""Ctrl-C and SIGTERM: the first one stops the work cleanly, later ones meanwhile are ignored."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(Exception):  # noqa: N818 - not an error: the user's wish
    """The user stopped the work; finished work is kept. The message says how to resume.

    Attributes:
        exit_code: 128 plus the signal number, as in shells.
    """

    def __init__(self, message: str, signal_number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class StopRequest(KeyboardInterrupt):
    """Raised within the work by the first signal.

    Attributes:
        signal_number: the signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


@contextmanager
def stop_requests() -> Iterator[None]:
    """Make the first SIGINT or SIGTERM raise `StopRequest` in the main thread, for the duration of a block."""
    seen = False

    def request(signal_number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        if not seen:
            seen = True
            raise StopRequest(signal_number)

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
