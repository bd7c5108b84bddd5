"""How long to wait before a lost source is tried again."""

import random
from dataclasses import dataclass

from keepsight.errors import SettingError


@dataclass(frozen=True)
class Backoff:
    """Waits that grow, with chance in them so that many watchers do not all knock at the same moment.

    The wait before attempt n (from 0) is drawn evenly from half to all of `first_seconds * 2^n`, at most
    `longest_seconds` ("equal jitter": a bound below keeps a source that refuses at once from being hammered).

    Attributes:
        first_seconds: longest wait before the first attempt.
        longest_seconds: longest wait of all.

    Raises:
        SettingError: the first is not above 0, or longer than the longest.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first_seconds <= self.longest_seconds:
            raise SettingError(
                f"waits run from above 0 up to the longest, not from {self.first_seconds} to {self.longest_seconds} s"
            )

    def wait_seconds(self, attempt: int, draw: random.Random) -> float:
        """How long to wait before an attempt, counted from 0 after each success."""
        # 2.0**1024 overflows; long before, the longest wait is reached.
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt, 64))
        return whole * (0.5 + 0.5 * draw.random())
