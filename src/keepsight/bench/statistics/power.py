"""How many videos show a difference: the power of the sign-flip test, before a run.

A pilot says how much videos differ in the difference of two methods. Its videos are drawn again with replacement,
moved so that the true difference is the one to be seen, and tested by exchanging signs, 2,000 times for each number of
videos. `closed_form` is Student's approximation of the same, used alone above 400 videos.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from keepsight.bench.statistics.exact_tests import SIGNIFICANCE, fewest_videos
from keepsight.bench.statistics.student import student_t_quantile
from keepsight.errors import DataError, SettingError

POWER = 0.8
"""Chance of seeing a true difference that is usually asked for."""

_MOST_SIMULATED = 400
_NUM_RUNS = 2000
_MOST_LISTED = 12
_BLOCK = 1000
_MOST_COMPARISONS = 100
_LEAST_FLIPS = 4000
_MOST_DEGREES = 1000
"""Student's t of more degrees is taken at this many, 0.1 % above the normal, and quicker."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pilot:
    """How much videos differ in the difference of two methods.

    Attributes:
        excess: of each video, what its difference exceeds the mean by, added up over its questions, `[num_videos]`.
        counts: questions of each video, `[num_videos]`.
        difference: mean difference over all questions.
        num_videos: watched in the pilot; 0 if the spread was assumed.
    """

    excess: Floats
    counts: Floats
    difference: float
    num_videos: int

    @property
    def spread(self) -> float:
        """Standard deviation of a video's mean difference, weighted by its questions."""
        return math.sqrt(float((self.excess**2).mean())) / float(self.counts.mean())

    @classmethod
    def of_scores(cls, a: Sequence[float], b: Sequence[float], clusters: Sequence[str]) -> "Pilot":
        """That of two methods' scores for the same questions.

        Args:
            a: scores, `[num_questions]`.
            b: scores of the other method.
            clusters: video of each question.

        Raises:
            DataError: there are fewer than 3 videos, or all have the same difference: nothing can be planned with.
        """
        by_video: dict[str, list[float]] = {}
        for ours, theirs, video in zip(a, b, clusters, strict=True):
            by_video.setdefault(video, []).append(ours - theirs)
        if len(by_video) < 3:
            raise DataError(f"a pilot must have at least 3 videos, got {len(by_video)}")
        sums = np.array([sum(gaps) for gaps in by_video.values()])
        counts = np.array([float(len(gaps)) for gaps in by_video.values()])
        mean = float(sums.sum() / counts.sum())
        # Residuals from their own mean are too small by sqrt((n - 1) / n).
        excess = (sums - mean * counts) * math.sqrt(len(counts) / (len(counts) - 1))
        if float(np.abs(excess).max()) < 1e-9:
            raise DataError("videos of a pilot must differ from each other, got the same difference in all; take more")
        return cls(excess, counts, mean, len(counts))

    @classmethod
    def of_spread(cls, spread: float) -> "Pilot":
        """Videos of equal size whose mean differences are normal with this standard deviation.

        Raises:
            SettingError: the spread is not above 0, or above 1.
        """
        if not 0 < spread <= 1:
            raise SettingError(f"spread must be above 0 and at most 100 points, got {100 * spread:g}")
        steps = [NormalDist().inv_cdf((place + 0.5) / 1000) for place in range(1000)]
        excess = np.array(steps)
        return cls(excess / excess.std() * spread, np.ones(1000), 0.0, 0)


@dataclass(frozen=True)
class Needed:
    """Videos that show a difference.

    Attributes:
        difference: true difference, above 0.
        num_videos: smallest number found with the power.
        closed_form: the same by Student's approximation.
        power: chance to see the difference with `num_videos`, simulated or approximated.
        is_simulated: whether by simulation.
    """

    difference: float
    num_videos: int
    closed_form: int
    power: float
    is_simulated: bool


def videos_needed(
    pilot: Pilot, difference: float, *, power: float = POWER, num_comparisons: int = 1, seed: int = 0
) -> Needed:
    """Number of videos with which the test shows a difference with the wanted power.

    Args:
        pilot: spread between videos.
        difference: true difference of the mean scores, above 0 and at most 1.
        power: chance to show it, above 0.05 and below 1.
        num_comparisons: of the table, at least 1. The difference must pass as the first of all (Bonferroni), which
            Holm's correction at most asks for.
        seed: of the simulation.

    Raises:
        SettingError: an argument is out of range.
    """
    if not 0 < difference <= 1:
        raise SettingError(f"difference must be above 0 and at most 100 points, got {100 * difference:g}")
    if not SIGNIFICANCE < power < 1:
        raise SettingError(f"power must be above 5 and below 100 per cent, got {100 * power:g}")
    if not 1 <= num_comparisons <= _MOST_COMPARISONS:
        raise SettingError(f"comparisons must be between 1 and {_MOST_COMPARISONS}, got {num_comparisons}")
    level = SIGNIFICANCE / num_comparisons
    approximate = closed_form(pilot, difference, power, level)
    fewest = fewest_videos(num_comparisons)
    if approximate <= _MOST_SIMULATED:
        low, high = fewest - 1, max(fewest, approximate)
        while simulated_power(pilot, difference, high, level, seed) < power:
            low, high = high, 1 + high * 5 // 4
        while high - low > 1:
            middle = (low + high) // 2
            enough = simulated_power(pilot, difference, middle, level, seed) >= power
            low, high = (low, middle) if enough else (middle, high)
        return Needed(difference, high, approximate, simulated_power(pilot, difference, high, level, seed), True)
    return Needed(difference, approximate, approximate, _student_power(pilot, difference, approximate, level), False)


def closed_form(pilot: Pilot, difference: float, power: float = POWER, level: float = SIGNIFICANCE) -> int:
    """Videos needed by Student's approximation: n with sqrt(n) difference / spread = t(n - 1) + z(power)."""
    low, high = 1, 2
    while _student_power(pilot, difference, high, level) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _student_power(pilot, difference, middle, level) >= power else (middle, high)
    return high


def simulated_power(pilot: Pilot, difference: float, num_videos: int, level: float, seed: int = 0) -> float:
    """Share of 2,000 draws of `num_videos` videos in which exchanging signs gives a p below `level`."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(pilot.counts), (num_videos, _NUM_RUNS))
    sums = pilot.excess[drawn] + difference * pilot.counts[drawn]
    seen = np.abs(sums.sum(axis=0)) * (1 - 1e-9)  # [num_runs]; equal totals may differ in the last digit
    num_flips, as_far = 0, np.zeros(_NUM_RUNS)
    for signs in _signs(num_videos, level, generator):
        as_far += (np.abs(signs @ sums) >= seen).sum(axis=0)
        num_flips += len(signs)
    return float((as_far / num_flips < level).mean())


def _student_power(pilot: Pilot, difference: float, num_videos: int, level: float) -> float:
    size = difference * float(pilot.counts.mean())
    spread = math.sqrt(float((pilot.excess**2).mean()) + difference**2 * float(pilot.counts.var()))
    critical = student_t_quantile(min(num_videos - 1, _MOST_DEGREES), 1 - level)
    return NormalDist().cdf(math.sqrt(num_videos) * size / spread - critical)


def _signs(num_videos: int, level: float, generator: np.random.Generator) -> Iterator[Floats]:
    """Signs of videos in blocks `[num_flips, num_videos]`: all up to 12 videos, else so many that `level` shows.

    Opposite signs give the same absolute total, so of all signs half are enough: those with the first unchanged.
    """
    if num_videos <= _MOST_LISTED:
        rest = np.array(list(itertools.product((1.0, -1.0), repeat=num_videos - 1)))
        yield np.hstack([np.ones((len(rest), 1)), rest])
        return
    yield np.ones((1, num_videos))
    for _ in range(max(_LEAST_FLIPS, round(20 / level)) // _BLOCK):
        yield generator.choice((1.0, -1.0), (_BLOCK, num_videos))
