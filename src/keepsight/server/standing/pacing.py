"""Checks leave the model to captions and to those who ask."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keepsight.errors import SettingError


class Pace:
    """Work that takes at most a share of the time: after each piece it rests so long.

    A model that many streams share lets what is asked overtake captions. Without rests, checks that come without end
    would take most of it.

    Args:
        share: of the time, above 0 and at most 1.
        rest: waits for so many seconds, less where the work should end.
        clock: seconds that only rise.
    """

    def __init__(
        self, share: float, rest: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 0 < share <= 1:
            raise SettingError(f"share is {share}; allowed is above 0 and at most 1")
        self._share = share
        self._rest = rest
        self._clock = clock

    @contextmanager
    def piece(self) -> Iterator[None]:
        """A piece of work, and the rest after it."""
        began = self._clock()
        try:
            yield
        finally:
            seconds = (self._clock() - began) * (1 / self._share - 1)
            if seconds > 0:
                self._rest(seconds)
