"""Exact tests of paired differences, and the correction for several of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIGNIFICANCE = 0.05
"""A corrected p below this counts as a real difference."""

_STEPS = 840
"""Partial scores are counted in 840ths, in which halves to eighths are whole."""

_MOST_STEPS = 200_000
"""Steps of all videos together; more are not needed for a p, and take long."""


def mcnemar_p(num_better: int, num_worse: int) -> float:
    """Exact two-sided p of McNemar's test on discordant pairs (McNemar, 1947).

    Partial scores count by which is higher, which makes it a sign test.

    Args:
        num_better: questions on which the first method alone is right.
        num_worse: questions on which the second alone is right.
    """
    num_discordant = num_better + num_worse
    term = tail = 1  # integers, so that nothing is lost however small p is
    for index in range(min(num_better, num_worse)):
        term = term * (num_discordant - index) // (index + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << num_discordant))


def sign_flip_p(surplus_by_video: Sequence[float]) -> float:
    """Exact two-sided p with methods exchanged video by video: the form of McNemar's test that respects clusters.

    If neither method is better, exchanging the two on a video is as likely as not, so each video's surplus of score may
    have either sign (Pitman, 1937). p is the chance, over all signs, of a total as far from 0 as the one seen.
    Obuchowski's test for clustered pairs (Statistics in Medicine 17, 1998, 1495-1507) also holds this total against its
    sum of squares, but by a chi-square distribution, which needs many videos; the exact distribution holds for two as
    well. With one question a video it is `mcnemar_p`; with one video it is 1: that proves nothing.

    Args:
        surplus_by_video: of each video, the first method's scores less those of the second, added up. Whole numbers
            are exact; others are rounded to 840ths, or coarser if there are very many.
    """
    sizes = _whole(surplus_by_video)
    flipped = np.ones(1)  # chance of each sum of the sizes with a minus sign
    for size in np.abs(sizes[sizes != 0]):
        both = np.zeros(len(flipped) + int(size))
        both[: len(flipped)] += flipped / 2
        both[size:] += flipped / 2
        flipped = both
    totals = np.abs(sizes).sum() - 2 * np.arange(len(flipped))
    return min(1.0, float(flipped[np.abs(totals) >= abs(sizes.sum())].sum()))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p of several tests, corrected so that one false alarm among all of them is as likely as p says.

    The smallest counts as often as there are tests, the next once less, and none is below a smaller one (Holm, 1979).
    It holds however the tests depend on each other.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return tuple(corrected)


def fewest_videos(num_comparisons: int) -> int:
    """Videos below which no difference can have a corrected p below 0.05: all n videos on one side give 2 / 2^n."""
    return math.floor(math.log2(2 * num_comparisons / SIGNIFICANCE)) + 1


def _whole(surplus_by_video: Sequence[float]) -> NDArray[np.int64]:
    surplus = np.asarray(surplus_by_video, dtype=np.float64)
    if not (surplus == np.rint(surplus)).all():
        surplus = surplus * min(_STEPS, _MOST_STEPS / np.abs(surplus).sum())
    return np.rint(surplus).astype(np.int64)
