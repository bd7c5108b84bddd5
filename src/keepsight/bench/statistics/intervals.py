"""Intervals of accuracies and of paired differences, see the package's docstring."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepsight.bench.statistics.exact_tests import SIGNIFICANCE, mcnemar_p, sign_flip_p
from keepsight.bench.statistics.score_intervals import tango_interval, wilson_interval
from keepsight.bench.statistics.student import CONFIDENCE, student_t_quantile
from keepsight.errors import DataError, SettingError

FEWEST_VIDEOS = 6
"""Below this, signs of videos cannot exclude anything at 95 %, and Student's interval is taken."""

_MOST_LISTED = 12
"""Up to this many videos all subsets are used."""

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
        p_clustered: chance of such a difference with whole videos exchanged, see `sign_flip_p`.
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

    def is_real(self, p_corrected: float | None = None) -> bool:
        """Whether the interval excludes 0 and p is below 0.05.

        Args:
            p_corrected: `p_clustered` corrected for the other comparisons; None if there are none.
        """
        p = self.p_clustered if p_corrected is None else p_corrected
        return p < SIGNIFICANCE and not self.low <= 0 <= self.high


def accuracy_interval(
    scores_by_video: Mapping[str, Sequence[float]], *, num_subsets: int = 4000, seed: int = 0
) -> Interval:
    """Mean score of a method with its interval.

    Args:
        scores_by_video: video -> scores of its questions, each from 0 to 1.
        num_subsets: subsets to draw if there are more than 12 videos, at least 400.
        seed: of the draws; the same seed and scores give the same interval.

    Raises:
        DataError: there is no score, or one is outside 0 to 1.
        SettingError: too few subsets or a negative seed.
    """
    clusters = [video for video, scores in scores_by_video.items() for _ in scores]
    scores = _checked([score for scores in scores_by_video.values() for score in scores])
    sums, counts = _per_cluster(scores, clusters)
    mean = float(scores.mean())
    floor = wilson_interval(mean, len(scores) * _gain(mean * (1 - mean), scores))
    low, high = _wider(_cluster_interval(sums, counts, num_subsets, seed), floor)
    return Interval(mean, max(0.0, low), min(1.0, high), len(scores), len(counts), _unit(len(counts)))


def paired_difference(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[str], *, num_subsets: int = 4000, seed: int = 0
) -> Difference:
    """Difference of methods `a` and `b`.

    Args:
        a: scores from 0 to 1, `[num_questions]`.
        b: scores of the other method for the same questions in the same order.
        clusters: video of each question.
        num_subsets: subsets to draw if there are more than 12 videos, at least 400.
        seed: of the draws.

    Raises:
        DataError: the lengths differ, there is no score, or one is outside 0 to 1.
        SettingError: too few subsets or a negative seed.
    """
    if not len(a) == len(b) == len(clusters):
        raise DataError(f"scores and videos must be equally many, got {len(a)}, {len(b)} and {len(clusters)}")
    differences = _checked(a) - _checked(b)
    sums, counts = _per_cluster(differences, clusters)
    low, high = _wider(_cluster_interval(sums, counts, num_subsets, seed), _independent_pairs(differences))
    return Difference(
        mean=float(differences.mean()),
        low=max(-1.0, low),
        high=min(1.0, high),
        p_mcnemar=mcnemar_p(int((differences > 0).sum()), int((differences < 0).sum())),
        p_clustered=sign_flip_p(sums.tolist()),
        num_questions=len(differences),
        num_clusters=len(counts),
        resampled=_unit(len(counts)),
    )


def _cluster_interval(sums: Floats, counts: Floats, num_subsets: int, seed: int) -> tuple[float, float] | None:
    """Interval of `sums.sum() / counts.sum()` from the spread between videos, both `[num_clusters]`; None for one."""
    if num_subsets < 400 or seed < 0:
        raise SettingError(f"num_subsets must be at least 400 and seed at least 0, got {num_subsets} and {seed}")
    if len(counts) == 1:
        return None
    if len(counts) < FEWEST_VIDEOS:
        return _student_interval(sums, counts)
    chosen = _subsets(len(counts), num_subsets, seed)
    means = np.sort((chosen @ sums) / (chosen @ counts))
    place = math.floor((1 - CONFIDENCE) / 2 * (len(means) + 1))  # 1 more for the empty subset, which has no mean
    return float(means[place - 1]), float(means[-place])


def _student_interval(sums: Floats, counts: Floats) -> tuple[float, float]:
    """Student's interval of a ratio, linearised: what a video has more than its size times the ratio."""
    num_clusters, mean = len(counts), float(sums.sum() / counts.sum())
    spread = math.sqrt(num_clusters / (num_clusters - 1) * float(((sums - mean * counts) ** 2).sum()))
    half = student_t_quantile(num_clusters - 1) * spread / float(counts.sum())
    return mean - half, mean + half


def _subsets(num_clusters: int, num_subsets: int, seed: int) -> Floats:
    """Non-empty subsets of videos as rows of 0 and 1: all of them, or as many as asked for, each as likely."""
    if num_clusters <= _MOST_LISTED:
        return np.array(list(itertools.product((0.0, 1.0), repeat=num_clusters))[1:])
    drawn = np.random.default_rng(seed).integers(0, 2, (num_subsets, num_clusters), dtype=np.int8)
    return drawn[drawn.any(axis=1)].astype(np.float64)


def _independent_pairs(differences: Floats) -> tuple[float, float]:
    """Interval of the mean difference if questions were independent."""
    mean = float(differences.mean())
    gain = _gain(float(np.abs(differences).mean()) - mean**2, differences)
    better, worse = np.maximum(differences, 0).sum(), np.maximum(-differences, 0).sum()
    return tango_interval(gain * float(better), gain * float(worse), gain * len(differences))


def _gain(variance_of_whole: float, scores: Floats) -> float:
    """How many right-or-wrong questions say as much as one that was scored in part: 1 if none was, else more.

    Args:
        variance_of_whole: that of right-or-wrong scores with the same mean.
        scores: scores or differences.
    """
    variance = float((scores**2).mean() - scores.mean() ** 2)
    return variance_of_whole / variance if variance > 1e-9 and (scores % 1).any() else 1.0


def _wider(found: tuple[float, float] | None, floor: tuple[float, float]) -> tuple[float, float]:
    return floor if found is None else (min(found[0], floor[0]), max(found[1], floor[1]))


def _unit(num_clusters: int) -> str:
    return "videos" if num_clusters > 1 else "questions"


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
