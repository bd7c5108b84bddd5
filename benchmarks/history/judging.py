"""Whether a ratio got worse: by more than its noise, compared with the earlier entries of the same kind of machine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

from benchmarks.history.entries import Entry
from keepsight.bench.statistics import student_t_quantile

MOST_EARLIER = 20
"""Entries that are compared with: the newest."""
FEWEST_FOR_SPREAD = 3
"""From so many earlier entries on, the steps between them say how far runs differ."""
LEAST_NOISE = math.log(1.02)
"""Two runs of the same sources differ by this, whatever their intervals say."""


@dataclass(frozen=True)
class Verdict:
    """A new entry beside the earlier ones.

    Attributes:
        entry: the new one.
        usual: geometric mean of the earlier ones; None where there is none.
        noise: logarithm of the factor by which it may differ from them; None where nothing says how large that is.
    """

    entry: Entry
    usual: float | None
    noise: float | None

    @property
    def is_worse(self) -> bool:
        """Whether it is on the worse side by more than the noise."""
        if self.usual is None or self.noise is None:
            return False
        rise = math.log(self.entry.ratio / self.usual)
        return (-rise if self.entry.higher_is_better else rise) > self.noise

    def __str__(self) -> str:
        """One line."""
        entry = self.entry
        found = f"{entry.benchmark}: {entry.name}: {entry.ratio:.3f}"
        if entry.low is not None and entry.high is not None:
            found += f" ({entry.low:.3f} to {entry.high:.3f})"
        if self.usual is None:
            return f"{found}, the first on this kind of machine"
        if self.noise is None:
            return f"{found}, {self.usual:.3f} before, noise unknown until there are {FEWEST_FOR_SPREAD} entries"
        by = math.expm1(abs(math.log(entry.ratio / self.usual)))
        state = "worse" if self.is_worse else "within the noise or better"
        return f"{found}, {self.usual:.3f} before: {state} ({by:.1%} apart, noise {math.expm1(self.noise):.1%})"


def judge(entry: Entry, history: Sequence[Entry]) -> Verdict:
    """Compare an entry with the earlier ones of the same benchmark, name and conditions."""
    earlier = _comparable(entry, history)
    if not earlier:
        return Verdict(entry, None, None)
    logs = [math.log(one.ratio) for one in earlier]
    return Verdict(entry, math.exp(mean(logs)), _noise(entry, earlier))


def _comparable(entry: Entry, history: Sequence[Entry]) -> list[Entry]:
    found: list[Entry] = []
    for one in history:
        if (one.conditions, one.benchmark, one.name) == (entry.conditions, entry.benchmark, entry.name):
            found = [] if one.is_accepted else found
            found += [] if one.is_worse else [one]
    return found[-MOST_EARLIER:]


def _noise(entry: Entry, earlier: Sequence[Entry]) -> float | None:
    """The larger of the noise within runs, by their intervals, and that between the earlier runs, by their steps.

    Steps between neighbours, unlike the spread of all, stay small where ratios rise slowly, so that the rise is found
    (von Neumann and others, "The mean square successive difference", 1941). They are worth two thirds of the degrees.
    """
    of_earlier = math.sqrt(mean(one.half_width**2 for one in earlier) / len(earlier))
    within = math.hypot(entry.half_width, of_earlier)
    between = 0.0
    if (count := len(earlier)) >= FEWEST_FOR_SPREAD:
        steps = [math.log(after.ratio / before.ratio) for before, after in pairwise(earlier)]
        spread = math.sqrt(mean(step**2 for step in steps) / 2)
        between = student_t_quantile(max(1, 2 * (count - 1) // 3)) * spread * math.sqrt(1 + 1 / count)
    elif within == 0:
        return None
    return max(within, between, LEAST_NOISE)
