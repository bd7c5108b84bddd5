"""Intervals and tests against all signs and subsets counted out, values worked out by hand and closed forms."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.bench.statistics import (
    Difference,
    accuracy_interval,
    fewest_videos,
    holm,
    mcnemar_p,
    paired_difference,
    sign_flip_p,
    student_t_quantile,
    tango_interval,
    wilson_interval,
)
from keepsight.errors import DataError, SettingError
from tests.bench.clustered_worlds import WORLDS, coverage

Z = 1.959963984540054
T = {1: 12.7062047364, 2: 4.3026527297, 3: 3.1824463053, 4: 2.7764451052, 9: 2.2621571628, 30: 2.0422724563}
"""Upper 2.5 % points from printed tables, by degrees of freedom."""


def flipped_p(excess: Sequence[Fraction]) -> Fraction:
    """Share of all signs that take a total as far from 0 as the one without a change."""
    totals = [abs(sum(signs, Fraction(0))) for signs in itertools.product(*[(value, -value) for value in excess])]
    return Fraction(sum(total >= abs(sum(excess, Fraction(0))) for total in totals), len(totals))


def clusters_of(seed: int, num_videos: int) -> list[list[int]]:
    """Right and wrong answers to 10 to 40 questions a video, so spread that independent questions are no match."""
    rng = np.random.default_rng(seed)
    return [rng.binomial(1, chance, rng.integers(10, 40)).tolist() for chance in rng.random(num_videos)]


@pytest.mark.parametrize("num_videos", [6, 7, 9])
def test_an_interval_holds_what_exchanging_signs_does_not_refuse(num_videos: int) -> None:
    """Ends are where p of what videos exceed a mean by, counted out in fractions, crosses 5 %."""
    clusters = clusters_of(num_videos, num_videos)
    interval = accuracy_interval({str(place): [float(one) for one in all_] for place, all_ in enumerate(clusters)})

    def p_of(mean: Fraction) -> Fraction:
        return flipped_p([sum(scores) - mean * len(scores) for scores in clusters])

    step = Fraction(1, 10**9)
    low, high = (Fraction(end).limit_denominator(1000) for end in (interval.low, interval.high))
    assert min(p_of(low + step), p_of(high - step)) > Fraction(1, 20)
    assert max(p_of(low - step), p_of(high + step)) <= Fraction(1, 20)
    assert (interval.num_clusters, interval.resampled) == (num_videos, "videos")
    assert interval.mean == pytest.approx(np.mean([score for scores in clusters for score in scores]))


def difference_of(a: Sequence[float], b: Sequence[float], sizes: Sequence[int]) -> Difference:
    return paired_difference(a, b, [str(video) for video, size in enumerate(sizes) for _ in range(size)])


def test_interval_and_p_say_the_same_of_zero_unless_questions_say_less() -> None:
    rng = np.random.default_rng(2)
    seen = Counter[tuple[bool, bool]]()
    for _ in range(300):
        luck = rng.normal(0.25, 0.35, 8)
        a, b = (rng.random((8, 20)) < np.clip(0.5 + sign * luck / 2, 0, 1)[:, None] for sign in (1, -1))
        difference = difference_of(a.ravel().astype(float).tolist(), b.ravel().astype(float).tolist(), [20] * 8)
        seen[difference.p_clustered < 0.05, not difference.low <= 0 <= difference.high] += 1
        assert difference.is_real() <= (difference.p_clustered < 0.05)
    assert seen[False, True] == 0
    assert seen[True, False] <= 3
    assert min(seen[True, True], seen[False, False]) > 50


@pytest.mark.parametrize("num_videos", [2, 3, 5])
def test_few_videos_have_students_interval(num_videos: int) -> None:
    """The closed form for equally large videos."""
    rng = np.random.default_rng(num_videos)
    chances = np.linspace(0.2, 0.8, num_videos)
    scores = (rng.random((num_videos, 100)) < chances[:, None]).astype(float)
    interval = accuracy_interval({str(place): row.tolist() for place, row in enumerate(scores)})
    means = scores.mean(1)
    half = T[num_videos - 1] * means.std(ddof=1) / math.sqrt(num_videos)
    ends = max(0, means.mean() - half), min(1, means.mean() + half)
    assert (interval.low, interval.high) == pytest.approx(ends, abs=1e-9)


def test_subsets_drawn_come_close_to_all_of_them() -> None:
    """16 videos, whose 65,535 subsets are counted out here."""
    clusters = clusters_of(1, 16)
    sums, counts = np.array([sum(one) for one in clusters]), np.array([len(one) for one in clusters])
    chosen = (np.arange(1, 2**16)[:, None] >> np.arange(16)) & 1
    means = np.sort((chosen @ sums) / (chosen @ counts))
    ends = means[int(0.025 * 2**16) - 1], means[-int(0.025 * 2**16)]
    scores = {str(place): [float(score) for score in one] for place, one in enumerate(clusters)}
    interval = accuracy_interval(scores, num_subsets=40_000)
    assert (interval.low, interval.high) == pytest.approx(ends, abs=0.005)


def test_order_of_questions_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 40)).astype(float)
    videos = np.repeat([f"v{number}" for number in range(8)], 5)
    shuffled = np.concatenate([[0, 5, 10, 15, 20, 25, 30, 35], np.setdiff1d(np.arange(40), np.arange(0, 40, 5))])
    straight = paired_difference(a.tolist(), b.tolist(), videos.tolist())
    assert paired_difference(a[shuffled].tolist(), b[shuffled].tolist(), videos[shuffled].tolist()) == straight


@pytest.mark.parametrize("num_videos", [1, 2, 12])
def test_methods_that_answered_alike_differ_by_what_so_many_questions_may_hide(num_videos: int) -> None:
    """Neither [0, 0] nor the width of a dozen videos: z^2 / (n + z^2), like the rule of three."""
    scores = [float(number % 3 == 0) for number in range(120)]
    difference = paired_difference(scores, scores, [str(number % num_videos) for number in range(120)])
    end = Z**2 / (120 + Z**2)
    assert (difference.mean, difference.low, difference.high) == pytest.approx((0, -end, end))
    assert (difference.p_mcnemar, difference.p_clustered) == (1, 1)
    assert not difference.is_real()


def test_equal_sums_of_every_video_leave_the_discordant_questions() -> None:
    """3 videos of 20 questions, 2 to either side in each; shares of 3 unpaired videos would be 107 points wide."""
    a = ([1.0, 1.0, 0.0, 0.0] + [1.0] * 10 + [0.0] * 6) * 3
    b = ([0.0, 0.0, 1.0, 1.0] + [1.0] * 10 + [0.0] * 6) * 3
    difference = difference_of(a, b, [20] * 3)
    assert difference.mean == 0
    assert (difference.low, difference.high) == pytest.approx(tango_interval(6, 6, 60))
    assert difference.high == pytest.approx(Z * math.sqrt(12) / 60, rel=0.1)  # the normal interval of McNemar's test


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
    assert difference.is_real()
    assert not difference.is_real(0.05)
    assert difference.p_clustered < 0.001


def test_a_difference_that_one_video_makes_is_noise_although_questions_say_otherwise() -> None:
    a = [1.0] * 12 + [0.0, 1.0] * 9
    b = [0.0] * 12 + [0.0, 1.0] * 9
    difference = paired_difference(a, b, [str(number // 6) if number >= 12 else "0" for number in range(30)])
    assert difference.p_mcnemar == pytest.approx(2 / 2**12)
    assert difference.p_clustered == 1
    assert not difference.is_real()


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
    assert sign_flip_p(surplus) == pytest.approx(float(flipped_p([Fraction(value) for value in surplus])))


@given(st.lists(st.fractions(-3, 3, max_denominator=8), max_size=8))
def test_sign_flips_of_partial_scores_counted_out(surplus: list[Fraction]) -> None:
    assert sign_flip_p([float(value) for value in surplus]) == pytest.approx(float(flipped_p(surplus)))


def test_sign_flips_of_scores_without_a_common_part_come_close() -> None:
    surplus = np.random.default_rng(6).normal(0.4, 1, 12)
    signs = 1 - 2 * ((np.arange(2**12)[:, None] >> np.arange(12)) & 1)
    counted = (np.abs(signs @ surplus) >= abs(surplus.sum()) - 1e-9).mean()
    assert sign_flip_p(surplus.tolist()) == pytest.approx(counted, abs=0.002)


@given(st.lists(st.floats(0, 1), max_size=7))
def test_holm_refuses_what_his_steps_refuse(p_values: list[float]) -> None:
    """Step down from the smallest, each held against a smaller share of the level, until one passes."""
    corrected = holm(p_values)
    for level in (0.01, 0.05, 0.3):
        refused = set[int]()
        for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
            if p_values[place] * (len(p_values) - rank) >= level:
                break
            refused.add(place)
        assert {place for place, p in enumerate(corrected) if p < level} == refused


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.2]) == (0.2,)
    assert holm([0.6, 0.9]) == (1, 1)


@pytest.mark.parametrize("num_comparisons", [1, 2, 3, 6, 11, 12, 40])
def test_fewest_videos_are_those_of_which_all_on_one_side_suffice(num_comparisons: int) -> None:
    enough = fewest_videos(num_comparisons)
    assert num_comparisons * sign_flip_p([1] * enough) < 0.05 <= num_comparisons * sign_flip_p([1] * (enough - 1))


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
        alarms["interval"] += not difference.low <= 0 <= difference.high
    assert alarms["clustered"] <= 0.05 * 300 + 2 * math.sqrt(300 * 0.05 * 0.95)
    assert alarms["interval"] <= alarms["clustered"]
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
    interval = accuracy_interval({"v": [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]})
    assert (interval.low, interval.high) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert (interval.num_clusters, interval.resampled) == (1, "questions")


def test_one_video_compares_questions_and_says_so() -> None:
    difference = paired_difference([1.0] * 9 + [0.0], [0.0, 1.0] * 5, ["v"] * 10)
    assert (difference.num_clusters, difference.resampled, difference.p_clustered) == (1, "questions", 1)
    assert (difference.low, difference.high) == tango_interval(5, 1, 10)
    assert not difference.is_real()


def test_all_right_is_not_certain() -> None:
    interval = accuracy_interval({"u": [1] * 10, "v": [1] * 10, "w": [1] * 10})
    assert (interval.mean, interval.high) == (1, 1)
    assert interval.low == pytest.approx(30 / (30 + Z**2))


@pytest.mark.parametrize("num_videos", [2, 5])
def test_the_same_gap_in_each_of_few_videos_proves_nothing(num_videos: int) -> None:
    """However many questions: exchanging methods in all of so few videos is not rare enough."""
    difference = difference_of([1.0] * 40 * num_videos, [1.0, 0.0] * 20 * num_videos, [40] * num_videos)
    assert difference.mean == 0.5
    assert difference.low > 0.3
    assert difference.p_clustered == 2 / 2**num_videos
    assert not difference.is_real()


@pytest.mark.parametrize("number", [1, 3, 20, 500])
def test_tango_where_it_has_a_closed_form(number: int) -> None:
    assert tango_interval(0, 0, number) == pytest.approx((-(Z**2) / (number + Z**2), Z**2 / (number + Z**2)))
    assert tango_interval(number, 0, number) == pytest.approx(((number - Z**2) / (number + Z**2), 1))
    assert tango_interval(0, number, number) == pytest.approx((-1, (Z**2 - number) / (number + Z**2)))


@pytest.mark.parametrize(("better", "worse", "number"), [(12, 2, 50), (3, 4, 9), (0, 5, 20), (9, 1, 10), (20, 20, 400)])
def test_tango_ends_are_where_the_score_test_turns(better: int, worse: int, number: int) -> None:
    """The likeliest shares under each difference are searched here on a grid."""
    for end in tango_interval(better, worse, number):
        other = np.linspace(max(0, -end), min(1, (1 - end) / 2), 200_001)[1:-1]  # share of worse; better has end more
        same = number - better - worse
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = sum(
                (count * np.log(share) if count else 0 * share)
                for count, share in ((better, other + end), (worse, other), (same, 1 - end - 2 * other))
            )
        worst = other[np.nanargmax(likelihood)]
        deviation = Z * math.sqrt(number * (2 * worst + end - end**2))
        assert abs(better - worse - number * end) == pytest.approx(deviation, rel=2e-3)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_tango_turns_round_and_holds_what_was_seen(better: int, worse: int, same: int) -> None:
    number = better + worse + same + 1
    low, high = tango_interval(better, worse, number)
    assert -1 <= low < (better - worse) / number < high <= 1
    assert tango_interval(worse, better, number) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize("counts", [(-1, 0, 3), (0, -1, 3), (2, 2, 3), (0, 0, 0)])
def test_tango_needs_pairs(counts: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="no more than the questions"):
        tango_interval(*counts)


def test_partial_scores_are_not_as_uncertain_as_right_and_wrong() -> None:
    """Marks around 0.5 in one video: the normal interval of their mean, a fifth of that of right and wrong."""
    marks = (0.5 + 0.1 * np.random.default_rng(1).choice([-1, 1], 400)).tolist()
    interval = accuracy_interval({"v": marks})
    assert interval.high - interval.low == pytest.approx(2 * Z * np.std(marks) / 20, rel=0.02)
    other = [1 - mark for mark in marks]
    difference = paired_difference(marks, other, ["v"] * 400)
    assert difference.high - difference.low == pytest.approx(4 * Z * np.std(marks) / 20, rel=0.03)


def test_one_question_alone() -> None:
    assert not paired_difference([1.0], [0.0], ["v"]).is_real()
    assert accuracy_interval({"v": [1]}).low == pytest.approx(1 / (1 + Z**2))


@pytest.mark.parametrize("degrees", T)
def test_students_quantile_is_that_of_printed_tables(degrees: int) -> None:
    assert student_t_quantile(degrees) == pytest.approx(T[degrees], abs=1e-9)


@pytest.mark.parametrize("degrees", [100, 643, 5000])
def test_students_quantile_of_many_degrees_follows_its_expansion(degrees: int) -> None:
    """Abramowitz and Stegun, 26.7.5, to the second order."""
    expansion = Z + (Z**3 + Z) / (4 * degrees) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * degrees**2)
    assert student_t_quantile(degrees) == pytest.approx(expansion, abs=1e-5)


@pytest.mark.parametrize(("confidence", "t"), [(0.99, 3.2498355), (0.9, 1.8331129), (0.999, 4.7809126)])
def test_students_quantile_of_other_levels(confidence: float, t: float) -> None:
    """From printed tables, 9 degrees."""
    assert student_t_quantile(9, confidence) == pytest.approx(t, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("num_videos", [6, 12])
def test_coverage_is_that_of_the_table_in_the_docstring(name: str, num_videos: int) -> None:
    """Standard error 1 to 2 points: bounds are 4 to 5 points below the table, and lower for its two worst worlds."""
    found = coverage(WORLDS[name], num_videos, 400)
    assert found.accuracy >= (0.82 if WORLDS[name].sizes == "telling" else 0.89)
    assert found.difference >= (0.8 if name == "99 and 97 %, luck of videos" else 0.91)
    if WORLDS[name].a == WORLDS[name].b:
        assert found.real <= 0.075


def test_more_alike_questions_make_wider_intervals() -> None:
    alike = {str(video): [float(video % 2)] * 10 for video in range(20)}
    mixed = {str(video): [0.0, 1.0] * 4 + [float(video % 2)] * 2 for video in range(20)}
    wide, narrow = accuracy_interval(alike), accuracy_interval(mixed)
    assert wide.mean == narrow.mean == 0.5
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly() -> None:
    scores = {str(video): [float(video % 3 == 0), 1.0, float(video % 2)] * 5 for video in range(30)}
    first, again, other = (accuracy_interval(scores, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert (first.low, first.high) == pytest.approx((other.low, other.high), abs=0.02)


@pytest.mark.parametrize("scores", [{}, {"v": []}, {"v": [1.5]}, {"v": [-1]}, {"v": [float("nan")]}])
def test_scores_are_checked(scores: dict[str, list[float]]) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        accuracy_interval(scores)


@pytest.mark.parametrize(("a", "b", "videos"), [([1], [1, 0], ["u"]), ([1], [1], []), ([1], [1], ["u", "v"])])
def test_pairs_belong_together(a: list[float], b: list[float], videos: list[str]) -> None:
    with pytest.raises(DataError, match="equally many"):
        paired_difference(a, b, videos)


def test_nothing_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="at least one"):
        paired_difference([], [], [])


@pytest.mark.parametrize("settings", [{"num_subsets": 399}, {"seed": -1}])
def test_settings_are_checked(settings: dict[str, int]) -> None:
    with pytest.raises(SettingError, match="at least 400 and seed at least 0"):
        accuracy_interval({"u": [1], "v": [0]}, **settings)


@pytest.mark.parametrize(("share", "number"), [(1.1, 5), (-0.1, 5), (0.5, 0)])
def test_a_share_is_of_something(share: float, number: int) -> None:
    with pytest.raises(DataError, match="share must be between 0 and 1 and num_questions at least 1"):
        wilson_interval(share, number)
