"""Intervals of a share and of a paired difference of shares, if questions were independent."""

import math
from statistics import NormalDist

from keepsight.bench.statistics.student import CONFIDENCE
from keepsight.errors import DataError

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson_interval(share: float, num_questions: float) -> tuple[float, float]:
    """The 95 % score interval of a share of independent questions (Wilson, 1927).

    Args:
        share: of right answers.
        num_questions: how many; need not be whole where partial scores count.

    Raises:
        DataError: the share is outside 0 to 1, or there is no question.
    """
    if not 0 <= share <= 1 or num_questions < 1:
        raise DataError(f"share must be between 0 and 1 and num_questions at least 1, got {share} and {num_questions}")
    shrink = 1 + _Z**2 / num_questions
    middle = (share + _Z**2 / (2 * num_questions)) / shrink
    half = _Z * math.sqrt(share * (1 - share) / num_questions + (_Z / (2 * num_questions)) ** 2) / shrink
    return (0.0 if share == 0 else max(0.0, middle - half)), (1.0 if share == 1 else min(1.0, middle + half))


def tango_interval(num_better: float, num_worse: float, num_questions: float) -> tuple[float, float]:
    """The 95 % score interval of a paired difference of shares (Tango, Statistics in Medicine 17, 1998, 891-908).

    It holds every difference that the score test does not refuse, and so says something where no pair is discordant:
    then it reaches z^2 / (n + z^2) to both sides.

    Args:
        num_better: questions that the first method alone got right; need not be whole where partial scores count.
        num_worse: questions that the second alone got right.
        num_questions: all of them.

    Raises:
        DataError: a number is negative, or there are fewer questions than discordant pairs, or none.
    """
    if min(num_better, num_worse) < 0 or num_questions < 1 or num_better + num_worse > num_questions * (1 + 1e-9):
        raise DataError(
            "discordant pairs must be at least 0 and no more than the questions, of which one is needed, "
            f"got {num_better} and {num_worse} of {num_questions}"
        )
    seen = (num_better - num_worse) / num_questions
    ends = []
    for end in (-1.0, 1.0):
        inside, outside = seen, end
        while abs(outside - inside) > 1e-12:
            middle = (inside + outside) / 2
            deviation = num_better - num_worse - num_questions * middle
            if deviation**2 <= _Z**2 * _variance(num_better, num_worse, num_questions, middle):
                inside = middle
            else:
                outside = middle
        ends.append(outside)
    return ends[0], ends[1]


def _variance(better: float, worse: float, questions: float, difference: float) -> float:
    """Variance of better - worse under a difference, with the share of worse that is most likely then."""
    slope = (2 * questions - better + worse) * difference - better - worse
    root = math.sqrt(max(0.0, slope**2 + 8 * questions * worse * difference * (1 - difference)))
    likeliest_worse = (root - slope) / (4 * questions)
    return max(0.0, questions * (2 * likeliest_worse + difference * (1 - difference)))
