"""Intervals and tests against all resamples counted out, values worked out by hand, closed forms and simulation."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.bench.statistics import (
    bootstrap_interval,
    mcnemar_p,
    paired_difference,
    sign_flip_p,
    student_t_quantile,
    wilson_interval,
)
from keepsight.errors import DataError, SettingError

Z = 1.959963984540054
T = {1: 12.7062047364, 2: 4.3026527297, 3: 3.1824463053, 4: 2.7764451052, 9: 2.2621571628, 30: 2.0422724563}
"""Upper 2.5 % points from printed tables, by degrees of freedom."""


def widening(num_clusters: int) -> float:
    return math.sqrt(num_clusters / (num_clusters - 1)) * T[num_clusters - 1] / Z


def all_resamples(clusters: list[list[float]]) -> list[float]:
    """The mean of every resample of whole clusters, as often as it comes up."""
    draws = itertools.product(clusters, repeat=len(clusters))
    return sorted(sum(map(sum, drawn)) / sum(map(len, drawn)) for drawn in draws)


def counted_out(clusters: list[list[float]]) -> tuple[float, float]:
    """The widened percentile interval from all resamples: the exact 2.5 % and 97.5 % points."""
    means = all_resamples(clusters)
    mean = sum(map(sum, clusters)) / sum(map(len, clusters))
    low = means[math.ceil(0.025 * len(means)) - 1]
    high = means[math.ceil(0.975 * len(means)) - 1]
    factor = widening(len(clusters))
    return mean - factor * (mean - low), mean + factor * (high - mean)


FOUR = [[0.6, 0.5], [0.55], [0.5, 0.5, 0.7], [0.45, 0.6]]  # narrow, so that no end is cut at 0 or 1
THREE = [[0.5, 0.52], [0.55], [0.5, 0.5, 0.49]]


@pytest.mark.parametrize("clusters", [THREE, FOUR])
def test_interval_is_that_of_all_resamples(clusters: list[list[float]]) -> None:
    interval = bootstrap_interval({str(place): scores for place, scores in enumerate(clusters)}, num_resamples=100_000)
    assert (interval.low, interval.high) == pytest.approx(counted_out(clusters), abs=1e-9)
    assert interval.mean == pytest.approx(np.mean([score for scores in clusters for score in scores]))
    assert (interval.num_clusters, interval.resampled) == (len(clusters), "videos")


@pytest.mark.parametrize("clusters", [THREE, FOUR])
def test_difference_is_that_of_all_resamples_of_the_pairs(clusters: list[list[float]]) -> None:
    theirs = [score for scores in clusters for score in scores]
    ours = [0.9 * score + 0.04 * (place % 3) for place, score in enumerate(theirs)]
    videos = [str(place) for place, scores in enumerate(clusters) for _ in scores]
    gaps = iter(np.subtract(ours, theirs).tolist())
    paired = [[next(gaps) for _ in scores] for scores in clusters]
    difference = paired_difference(ours, theirs, videos, num_resamples=100_000)
    assert (difference.low, difference.high) == pytest.approx(counted_out(paired), abs=1e-9)
    assert difference.mean == pytest.approx(np.mean(ours) - np.mean(theirs))


def test_order_of_questions_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 40)).astype(float)
    videos = np.repeat([f"v{number}" for number in range(8)], 5)
    shuffled = np.concatenate([[0, 5, 10, 15, 20, 25, 30, 35], np.setdiff1d(np.arange(40), np.arange(0, 40, 5))])
    straight = paired_difference(a.tolist(), b.tolist(), videos.tolist())
    assert paired_difference(a[shuffled].tolist(), b[shuffled].tolist(), videos[shuffled].tolist()) == straight


@pytest.mark.parametrize("num_videos", [1, 2, 12])
def test_identical_methods_do_not_differ_at_all(num_videos: int) -> None:
    scores = [float(number % 3 == 0) for number in range(24)]
    difference = paired_difference(scores, scores, [str(number % num_videos) for number in range(24)])
    assert (difference.mean, difference.low, difference.high) == (0, 0, 0)
    assert (difference.p_mcnemar, difference.p_clustered) == (1, 1)
    assert difference.inside_noise


def test_exchanging_the_methods_turns_the_difference_round() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 2, (2, 60)).astype(float).tolist()
    videos = [str(number // 5) for number in range(60)]
    there, back = paired_difference(a, b, videos), paired_difference(b, a, videos)
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert (there.p_mcnemar, there.p_clustered) == (back.p_mcnemar, pytest.approx(back.p_clustered))


def test_a_clear_difference_is_outside_noise() -> None:
    a = [1.0] * 100
    b = [float(number % 4 != number // 10 % 4) for number in range(100)]
    difference = paired_difference(a, b, [str(number // 5) for number in range(100)])
    assert difference.low > 0
    assert not difference.inside_noise
    assert difference.p_clustered < 0.001


def test_a_difference_that_one_video_makes_is_noise_although_questions_say_otherwise() -> None:
    a = [1.0] * 12 + [0.0, 1.0] * 9
    b = [0.0] * 12 + [0.0, 1.0] * 9
    difference = paired_difference(a, b, [str(number // 6) if number >= 12 else "0" for number in range(30)])
    assert difference.p_mcnemar == pytest.approx(2 / 2**12)
    assert difference.p_clustered == 1
    assert difference.inside_noise


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [
        (0, 0, 1),
        (1, 0, 1),
        (5, 0, 2 / 32),
        (6, 0, 2 / 64),
        (8, 1, 2 * (1 + 9) / 512),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
        (5, 5, 1),
        (4, 3, 1),
    ],
)
def test_mcnemar_by_hand(better: int, worse: int, p: float) -> None:
    assert mcnemar_p(better, worse) == p
    assert mcnemar_p(worse, better) == p


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_tail(better: int, worse: int) -> None:
    num = better + worse
    tail = sum(Fraction(math.comb(num, k), 2**num) for k in range(num + 1) if abs(2 * k - num) >= abs(better - worse))
    assert mcnemar_p(better, worse) == pytest.approx(float(tail), rel=1e-12)


def test_mcnemar_of_many_pairs_neither_overflows_nor_loses_small_values() -> None:
    assert mcnemar_p(6000, 6000) == 1
    assert mcnemar_p(3100, 2900) == pytest.approx(math.erfc(199 / math.sqrt(2 * 6000)), rel=0.01)  # normal, corrected
    assert mcnemar_p(1000, 0) == 2.0**-999


@given(st.lists(st.integers(-6, 6), max_size=9))
def test_sign_flips_counted_out(surplus: list[int]) -> None:
    totals = [abs(sum(signs)) for signs in itertools.product(*[(value, -value) for value in surplus])]
    share = sum(total >= abs(sum(surplus)) for total in totals) / len(totals)
    assert sign_flip_p(surplus) == pytest.approx(share)


@given(st.integers(0, 20), st.integers(0, 20))
def test_with_one_question_a_video_the_clustered_test_is_mcnemars(better: int, worse: int) -> None:
    assert sign_flip_p([1] * better + [-1] * worse + [0] * 3) == pytest.approx(mcnemar_p(better, worse))


def test_the_clustered_test_comes_close_to_obuchowskis_with_many_videos() -> None:
    surplus = np.random.default_rng(5).integers(-4, 6, 300)
    chi_square = surplus.sum() ** 2 / (300 / 299 * (surplus**2).sum())
    assert sign_flip_p(surplus.tolist()) == pytest.approx(math.erfc(math.sqrt(chi_square / 2)), rel=0.1)


def test_clustered_test_does_not_cry_wolf_where_mcnemars_does() -> None:
    """Two equally good methods whose luck is the same for all questions of a video."""
    rng = np.random.default_rng(7)
    alarms: Counter[str] = Counter()
    for _ in range(300):
        luck = rng.choice([-1, 0, 1], 12)
        a, b = np.repeat(luck > 0, 6).astype(float), np.repeat(luck < 0, 6).astype(float)
        difference = paired_difference(a.tolist(), b.tolist(), np.repeat(np.arange(12), 6).astype(str).tolist())
        alarms["mcnemar"] += difference.p_mcnemar <= 0.05
        alarms["clustered"] += difference.p_clustered <= 0.05
        alarms["interval"] += not difference.inside_noise
    assert alarms["clustered"] <= 0.05 * 300 + 2 * math.sqrt(300 * 0.05 * 0.95)
    assert alarms["interval"] <= 0.08 * 300
    assert alarms["mcnemar"] > 0.3 * 300


def test_wilson_by_hand() -> None:
    assert wilson_interval(0.5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert wilson_interval(0.0, 10) == pytest.approx((0, Z**2 / (10 + Z**2)))
    assert wilson_interval(1.0, 10) == pytest.approx((10 / (10 + Z**2), 1))


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_ends_are_where_the_score_test_turns(num_questions: int, share: float) -> None:
    for end in wilson_interval(share, num_questions):
        assert 0 <= end <= 1
        if 1e-6 < end < 1 - 1e-6:
            assert abs(share - end) == pytest.approx(Z * math.sqrt(end * (1 - end) / num_questions), rel=1e-6)


def test_one_video_gives_wilsons_interval_and_says_so() -> None:
    interval = bootstrap_interval({"v": [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]})
    assert (interval.low, interval.high) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert (interval.num_clusters, interval.resampled) == (1, "questions")


def test_one_video_compares_questions_and_says_so() -> None:
    difference = paired_difference([1.0] * 9 + [0.0], [0.0, 1.0] * 5, ["v"] * 10)
    assert (difference.num_clusters, difference.resampled, difference.p_clustered) == (1, "questions", 1)
    assert difference.low < 0.4 < difference.high


def test_all_right_is_not_certain() -> None:
    interval = bootstrap_interval({"u": [1] * 10, "v": [1] * 10, "w": [1] * 10})
    assert (interval.mean, interval.high) == (1, 1)
    assert interval.low == pytest.approx(3 / (3 + Z**2))


def test_the_same_gap_in_each_of_two_videos_is_not_certain() -> None:
    difference = paired_difference([1.0, 1.0] * 2, [1.0, 0.0] * 2, ["u", "u", "v", "v"])
    assert difference.mean == 0.5
    assert difference.inside_noise


def test_newcombe_by_hand() -> None:
    """All right against all wrong in two videos: 1 less the hypotenuse of both Wilson intervals."""
    difference = paired_difference([1.0, 1.0], [0.0, 0.0], ["u", "v"])
    assert difference.low == pytest.approx(1 - math.sqrt(2) * Z**2 / (2 + Z**2))
    assert difference.high == 1


def test_one_question_alone() -> None:
    assert paired_difference([1.0], [0.0], ["v"]).inside_noise
    assert bootstrap_interval({"v": [1]}).low == pytest.approx(1 / (1 + Z**2))


@pytest.mark.parametrize("degrees", T)
def test_students_quantile_is_that_of_printed_tables(degrees: int) -> None:
    assert student_t_quantile(degrees) == pytest.approx(T[degrees], abs=1e-9)


@pytest.mark.parametrize("degrees", [100, 643, 5000])
def test_students_quantile_of_many_degrees_follows_its_expansion(degrees: int) -> None:
    """Abramowitz and Stegun, 26.7.5, to the second order."""
    expansion = Z + (Z**3 + Z) / (4 * degrees) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * degrees**2)
    assert student_t_quantile(degrees) == pytest.approx(expansion, abs=1e-5)


def test_equally_large_videos_give_students_interval() -> None:
    """The closed form that the widened bootstrap stands in for."""
    rng = np.random.default_rng(11)
    scores = np.clip(rng.normal(0.5, 0.1, (10, 4)), 0, 1)
    interval = bootstrap_interval({str(place): row.tolist() for place, row in enumerate(scores)}, num_resamples=50_000)
    means = scores.mean(1)
    half = T[9] * means.std(ddof=1) / math.sqrt(10)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.06)


@pytest.mark.parametrize("num_videos", [3, 5, 10, 31])
def test_coverage_of_a_known_truth(num_videos: int) -> None:
    """Videos differ in difficulty (mean 0.6); 95 % intervals hold the truth that often, unwidened ones do not."""
    rng = np.random.default_rng(num_videos)
    num_runs, held, held_unwidened = 400, 0, 0
    for run in range(num_runs):
        chances = rng.beta(3, 2, num_videos)
        right = {str(place): rng.random(12) < chance for place, chance in enumerate(chances)}
        scores = {video: values.astype(float).tolist() for video, values in right.items()}
        interval = bootstrap_interval(scores, num_resamples=1000, seed=run)
        held += interval.low <= 0.6 <= interval.high
        means = np.mean(list(scores.values()), axis=1)
        low, high = np.quantile(rng.choice(means, (400, num_videos)).mean(axis=1), [0.025, 0.975])
        held_unwidened += low <= 0.6 <= high
    assert 0.92 <= held / num_runs <= 0.985
    if num_videos <= 5:
        assert held_unwidened / num_runs < 0.88


def test_more_alike_questions_make_wider_intervals() -> None:
    alike = {str(video): [float(video % 2)] * 10 for video in range(20)}
    mixed = {str(video): [0.0, 1.0] * 4 + [float(video % 2)] * 2 for video in range(20)}
    wide, narrow = bootstrap_interval(alike), bootstrap_interval(mixed)
    assert wide.mean == narrow.mean == 0.5
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly() -> None:
    scores = {str(video): [float(video % 3 == 0), 1.0, float(video % 2)] for video in range(30)}
    first, again, other = (bootstrap_interval(scores, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert (first.low, first.high) == pytest.approx((other.low, other.high), abs=0.02)


@pytest.mark.parametrize("scores", [{}, {"v": []}, {"v": [1.5]}, {"v": [-1]}, {"v": [float("nan")]}])
def test_scores_are_checked(scores: dict[str, list[float]]) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        bootstrap_interval(scores)


@pytest.mark.parametrize(("a", "b", "videos"), [([1], [1, 0], ["u"]), ([1], [1], []), ([1], [1], ["u", "v"])])
def test_pairs_belong_together(a: list[float], b: list[float], videos: list[str]) -> None:
    with pytest.raises(DataError, match="equally many"):
        paired_difference(a, b, videos)


def test_nothing_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="at least one"):
        paired_difference([], [], [])


@pytest.mark.parametrize("settings", [{"num_resamples": 99}, {"seed": -1}])
def test_settings_are_checked(settings: dict[str, int]) -> None:
    with pytest.raises(SettingError, match="at least 100 and seed at least 0"):
        bootstrap_interval({"u": [1], "v": [0]}, **settings)


@pytest.mark.parametrize(("share", "number"), [(1.1, 5), (-0.1, 5), (0.5, 0)])
def test_a_share_is_of_something(share: float, number: int) -> None:
    with pytest.raises(DataError, match="share must be between 0 and 1 and num_questions at least 1"):
        wilson_interval(share, number)
