"""Confidence of an accuracy or a difference of two methods, with questions clustered by video.

Questions of one video share its difficulty, so videos, not questions, are independent:

- Intervals: the cluster bootstrap draws whole videos with replacement and takes the 2.5 % and 97.5 % points of the mean
  over all drawn questions (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). Two
  methods are compared on the same draws.
- Few videos: percentile intervals are too narrow below some ten videos, as a resample spreads by sqrt((n - 1) / n) too
  little and the normal quantile stands where Student's is due. Both ends are therefore moved away from the mean by the
  factor sqrt(n / (n - 1)) * t(n - 1) / z: 9.2 for 2 videos, 1.6 for 5, 1.2 for 10, 1.02 for 100. It is the correction
  of Hesterberg, "What Teachers Should Know About the Bootstrap", 2015 (arXiv 1411.5279), applied to the ends
  instead of to the percentiles, which cannot leave the range of what was seen. For equally large videos it comes close
  to Student's interval. It repairs the width, not the shape: below some five videos read an interval as a rough guide.
- One video: nothing can be said about other videos. Questions are taken as independent, which is too sure of itself;
  `resampled` then says "questions".
- No spread between videos (all right, all wrong): resampling sees no doubt at all. Wilson's interval (for differences
  Newcombe's) with videos as the sample size takes its place.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import DataError, SettingError

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean score with its 95 % interval.

    Attributes:
        mean: over all questions.
        low: lower end, at least 0.
        high: upper end, at most 1.
        num_questions: at least one.
        num_clusters: videos.
        resampled: unit of independence: "videos", or "questions" for a single video.
    """

    mean: float
    low: float
    high: float
    num_questions: int
    num_clusters: int
    resampled: str


@dataclass(frozen=True)
class Difference:
    """Paired difference of the mean scores of two methods, with its 95 % interval.

    Attributes:
        mean: from -1 to 1.
        low: lower end.
        high: upper end.
        p_mcnemar: chance of so uneven discordant pairs if neither were better and questions were independent. Too
            small where questions of a video are alike.
        p_clustered: the same chance with whole videos exchanged, see `sign_flip_p`.
        num_questions: at least one.
        num_clusters: videos.
        resampled: "videos", or "questions" where there is one video only.
    """

    mean: float
    low: float
    high: float
    p_mcnemar: float
    p_clustered: float
    num_questions: int
    num_clusters: int
    resampled: str

    @property
    def inside_noise(self) -> bool:
        """Whether the interval contains 0, so the difference is not significant."""
        return self.low <= 0 <= self.high


def bootstrap_interval(
    scores_by_video: Mapping[str, Sequence[float]], *, num_resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean score of a method with its interval; see the module docstring.

    Args:
        scores_by_video: video -> scores of its questions, each from 0 to 1.
        num_resamples: draws, at least 100.
        seed: of the draws; the same seed and scores give the same interval.

    Raises:
        DataError: there is no score, or one is outside 0 to 1.
        SettingError: too few draws or a negative seed.
    """
    clusters = [video for video, scores in scores_by_video.items() for _ in scores]
    scores = _checked([score for scores in scores_by_video.values() for score in scores])
    sums, counts = _per_cluster(scores, clusters)
    mean, num_videos = float(scores.mean()), len(counts)
    if num_videos == 1:
        low, high = wilson_interval(mean, len(scores))
        return Interval(mean, low, high, len(scores), 1, "questions")
    low, high = _percentiles(sums, counts, num_resamples, seed)
    if high - low < 1e-12:
        low, high = wilson_interval(mean, num_videos)
    return Interval(mean, max(0.0, low), min(1.0, high), len(scores), num_videos, "videos")


def paired_difference(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[str], *, num_resamples: int = 2000, seed: int = 0
) -> Difference:
    """Difference of methods `a` and `b`; see the module docstring.

    Args:
        a: scores from 0 to 1, `[num_questions]`.
        b: scores of the other method for the same questions in the same order.
        clusters: video of each question.
        num_resamples: draws, at least 100.
        seed: of the draws.

    Raises:
        DataError: the lengths differ, there is no score, or one is outside 0 to 1.
        SettingError: too few draws or a negative seed.
    """
    if not len(a) == len(b) == len(clusters):
        raise DataError(f"scores and videos must be equally many, got {len(a)}, {len(b)} and {len(clusters)}")
    ours, theirs = _checked(a), _checked(b)
    differences = ours - theirs
    num_videos = len(set(clusters))
    independent = list(clusters) if num_videos > 1 else [str(index) for index in range(len(a))]
    sums, counts = _per_cluster(differences, independent)
    mean = float(differences.mean())
    low, high = _percentiles(sums, counts, num_resamples, seed) if len(counts) > 1 else (mean, mean)
    if high - low < 1e-12 and differences.any():
        low, high = _newcombe(float(ours.mean()), float(theirs.mean()), len(counts))
    signs = np.sign(differences)
    return Difference(
        mean=mean,
        low=max(-1.0, low),
        high=min(1.0, high),
        p_mcnemar=mcnemar_p(int((signs > 0).sum()), int((signs < 0).sum())),
        p_clustered=sign_flip_p(_per_cluster(signs, clusters)[0].astype(np.int64).tolist()),
        num_questions=len(differences),
        num_clusters=num_videos,
        resampled="videos" if num_videos > 1 else "questions",
    )


def wilson_interval(share: float, num_questions: int) -> tuple[float, float]:
    """The 95 % score interval of a share of independent questions (Wilson, 1927).

    Raises:
        DataError: the share is outside 0 to 1, or there is no question.
    """
    if not 0 <= share <= 1 or num_questions < 1:
        raise DataError(f"share must be between 0 and 1 and num_questions at least 1, got {share} and {num_questions}")
    shrink = 1 + _Z**2 / num_questions
    middle = (share + _Z**2 / (2 * num_questions)) / shrink
    half = _Z * math.sqrt(share * (1 - share) / num_questions + (_Z / (2 * num_questions)) ** 2) / shrink
    return (0.0 if share == 0 else max(0.0, middle - half)), (1.0 if share == 1 else min(1.0, middle + half))


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


def sign_flip_p(surplus_by_video: Sequence[int]) -> float:
    """Exact two-sided p with methods exchanged video by video: the form of McNemar's test that respects clusters.

    If neither method is better, exchanging the two on a video is as likely as not, so each video's surplus of
    discordant pairs may have either sign (Pitman, 1937). p is the chance, over all signs, of a total as far from 0 as
    the one seen. Obuchowski's test for clustered pairs (Statistics in Medicine 17, 1998, 1495-1507) also holds this
    total against its sum of squares, but by a chi-square distribution, which needs many videos; the exact distribution
    holds for two as well. With one question a video it is `mcnemar_p`; with one video it is 1: that proves nothing.

    Args:
        surplus_by_video: of each video, the questions that only the first method got right less those that only the
            second got right.
    """
    sizes = [abs(surplus) for surplus in surplus_by_video if surplus]
    flipped = np.ones(1)  # chance of each sum of the sizes with a minus sign
    for size in sizes:
        both = np.zeros(len(flipped) + size)
        both[: len(flipped)] += flipped / 2
        both[size:] += flipped / 2
        flipped = both
    totals = sum(sizes) - 2 * np.arange(len(flipped))
    return min(1.0, float(flipped[np.abs(totals) >= abs(sum(surplus_by_video))].sum()))


def student_t_quantile(degrees: int) -> float:
    """Upper 2.5 % point of Student's t, by bisection of its closed form for integer degrees of freedom, at least 1."""
    low, high = 0.0, 16.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _central_mass(middle, degrees) < CONFIDENCE else (low, middle)
    return high


def _central_mass(t: float, degrees: int) -> float:
    """Chance of |T| < t (Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    series = term if degrees > 1 else 0.0
    for step in range(2 + odd, degrees - 1, 2):
        term *= (step - 1) / step * math.cos(angle) ** 2
        series += term
    return 2 / math.pi * (angle + math.sin(angle) * series) if odd else math.sin(angle) * series


def _percentiles(sums: Floats, counts: Floats, num_resamples: int, seed: int) -> tuple[float, float]:
    """Ends of the widened bootstrap interval of `sums.sum() / counts.sum()`; both `[num_clusters]`, two or more."""
    if num_resamples < 100 or seed < 0:
        raise SettingError(f"num_resamples must be at least 100 and seed at least 0, got {num_resamples} and {seed}")
    num_clusters = len(counts)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=num_resamples)
    means = (drawn @ sums) / (drawn @ counts)
    mean = float(sums.sum() / counts.sum())
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    factor = math.sqrt(num_clusters / (num_clusters - 1)) * student_t_quantile(num_clusters - 1) / _Z
    return mean - factor * (mean - float(low)), mean + factor * (float(high) - mean)


def _newcombe(a: float, b: float, num_clusters: int) -> tuple[float, float]:
    """Interval of a difference of shares from both Wilson intervals (Newcombe, 1998, method 10, taken uncorrelated)."""
    (low_a, high_a), (low_b, high_b) = wilson_interval(a, num_clusters), wilson_interval(b, num_clusters)
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def _per_cluster(scores: Floats, clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum of scores and number of questions of each video, `[num_clusters]`, in order of first mention."""
    places = {video: place for place, video in enumerate(dict.fromkeys(clusters))}
    of_question = np.array([places[video] for video in clusters])
    sums: Floats = np.bincount(of_question, weights=scores).astype(np.float64)
    return sums, np.bincount(of_question).astype(np.float64)


def _checked(scores: Sequence[float]) -> Floats:
    array = np.asarray(scores, dtype=np.float64)
    if array.size == 0 or not ((array >= 0) & (array <= 1)).all():
        raise DataError("scores must be numbers between 0 and 1, at least one; judge the answers first")
    return array
