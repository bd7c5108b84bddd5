"""Limits on concurrent work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from keepsight.errors import BusyError


class Limiter:
    """Limits how many operations run concurrently.

    Args:
        count: maximum.
        what: plural noun for the error message, such as `concurrent questions`.
    """

    def __init__(self, count: int, what: str) -> None:
        self._count = count
        self._what = what
        self._lock = threading.Lock()
        self._num_taken = 0

    @property
    def num_taken(self) -> int:
        """Number of running operations."""
        return self._num_taken

    def take(self) -> None:
        """Take a slot.

        Raises:
            BusyError: no slot is free.
        """
        with self._lock:
            if self._num_taken >= self._count:
                raise BusyError(f"limit reached ({self._count} {self._what}); try again later")
            self._num_taken += 1

    def give_back(self) -> None:
        """Free a slot."""
        with self._lock:
            self._num_taken -= 1

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot for the duration of a block."""
        self.take()
        try:
            yield
        finally:
            self.give_back()
