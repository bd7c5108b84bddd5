"""Backoff between attempts to reconnect to a source."""

import random
from dataclasses import dataclass

from keepsight.errors import SettingError


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with jitter, so that many watchers do not retry at the same moment.

    The wait before attempt n (from 0) is uniform between half and all of `first_seconds * 2^n`, at most
    `longest_seconds` ("equal jitter": the lower bound keeps a source that refuses at once from being hammered).

    Attributes:
        first_seconds: upper bound of the first wait.
        longest_seconds: upper bound of all waits.

    Raises:
        SettingError: not 0 < first <= longest.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first_seconds <= self.longest_seconds:
            raise SettingError(
                f"waits must have 0 < first <= longest seconds, got {self.first_seconds} and {self.longest_seconds}"
            )

    def wait_seconds(self, attempt: int, draw: random.Random) -> float:
        """Wait before an attempt; attempts count from 0 after each success."""
        # 2.0**1024 overflows; the limit is reached long before.
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt, 64))
        return whole * (0.5 + 0.5 * draw.random())
