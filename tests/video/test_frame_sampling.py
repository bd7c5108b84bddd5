"""The on-screen rule, the grid of instants and the clock, against definitions written out."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import SettingError
from keepsight.video.clock import LONGEST_BACKSTEP, LONGEST_LIVE_STEP, ClockSettings, FrameClock
from keepsight.video.sampling import SampleGrid, TimedPicture, on_screen

rates = st.sampled_from([0.1, 0.5, 1.0, 1 / 3, 2.0, 24000 / 1001, 25.0, 60.0])
gaps_ms = st.lists(st.integers(0, 3000), max_size=40)


def timed(gaps: list[int], last_ms: int) -> list[TimedPicture[int]]:
    starts = [0]
    for gap in gaps:
        starts.append(starts[-1] + gap)
    durations = [*gaps, last_ms]
    return [
        TimedPicture(Fraction(start, 1000), Fraction(max(1, duration), 1000), number)
        for number, (start, duration) in enumerate(zip(starts, durations, strict=True))
    ]


@given(gaps=gaps_ms, last_ms=st.integers(1, 5000), sample_fps=rates, start_ms=st.integers(0, 20_000))
def test_each_instant_gets_the_last_picture_at_or_before_it(
    gaps: list[int], last_ms: int, sample_fps: float, start_ms: int
) -> None:
    pictures = timed(gaps, last_ms)
    rate = Fraction(sample_fps).limit_denominator(1_000_000)
    end = pictures[-1].start + pictures[-1].duration
    expected = []
    index = 0
    while index / rate < end:
        if index / rate >= Fraction(start_ms / 1000) - 1 / rate / 1000:
            expected.append((index / rate, [p.picture for p in pictures if p.start <= index / rate][-1]))
        index += 1
    assert [(s.instant, s.picture) for s in on_screen(pictures, SampleGrid(sample_fps, start_ms / 1000))] == expected


def test_a_long_hold_repeats_the_picture_at_regular_times() -> None:
    pictures = [
        TimedPicture(Fraction(0), Fraction(10), "slide"),
        TimedPicture(Fraction(10), Fraction(1), "next slide"),
    ]
    assert [(s.instant, s.picture) for s in on_screen(pictures, SampleGrid(1.0))] == [
        (k, "slide") for k in range(10)
    ] + [(10, "next slide")]


@given(sample_fps=rates, index=st.integers(0, 1_000_000))
def test_a_grid_taken_up_at_one_of_its_times_starts_at_that_instant(sample_fps: float, index: int) -> None:
    seconds = float(SampleGrid(sample_fps).instant(index))
    assert SampleGrid(sample_fps, seconds).first_index == index
    assert SampleGrid(sample_fps).next_instant_seconds(seconds) == float(SampleGrid(sample_fps).instant(index + 1))


@pytest.mark.parametrize(("sample_fps", "rate"), [(0.1, (1, 10)), (1 / 3, (1, 3)), (30000 / 1001, (30000, 1001))])
def test_a_rate_is_the_fraction_that_was_meant(sample_fps: float, rate: tuple[int, int]) -> None:
    assert SampleGrid(sample_fps).rate == Fraction(*rate)


@pytest.mark.parametrize("sample_fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(sample_fps: float) -> None:
    with pytest.raises(SettingError, match="sample_fps"):
        SampleGrid(sample_fps)


@pytest.mark.parametrize("start_seconds", [-0.1, float("nan"), float("inf")])
def test_a_start_that_is_none_is_refused(start_seconds: float) -> None:
    with pytest.raises(SettingError, match="start_seconds"):
        SampleGrid(1.0, start_seconds)


FRAME = Fraction(1, 25)
timestamps = st.lists(
    st.one_of(
        st.none(), st.fractions(-100_000, 100_000, max_denominator=90_000), st.integers(0, 40).map(lambda n: n * FRAME)
    ),
    max_size=40,
)


@given(timestamps)
def test_the_clock_starts_at_0_never_runs_back_and_never_leaps(stamps: list[Fraction | None]) -> None:
    clock = FrameClock(ClockSettings(longest_step_seconds=LONGEST_LIVE_STEP))
    times = [clock.place(stamp, FRAME) for stamp in stamps]
    assert times[:1] in ([], [0])
    steps = [late - early for early, late in itertools.pairwise(times)]
    assert all(0 <= step <= LONGEST_LIVE_STEP for step in steps)


@given(st.fractions(-1000, 100_000), st.lists(st.fractions(0, LONGEST_LIVE_STEP), max_size=30))
def test_timestamps_in_order_keep_their_distances(origin: Fraction, steps: list[Fraction]) -> None:
    clock = FrameClock(ClockSettings(longest_step_seconds=LONGEST_LIVE_STEP))
    stamps = [origin + sum(steps[:n], Fraction(0)) for n in range(len(steps) + 1)]
    assert [clock.place(stamp, FRAME) for stamp in stamps] == [stamp - origin for stamp in stamps]


@given(st.fractions(-100_000, 100_000))
def test_a_jump_of_the_clock_costs_one_frame(jump: Fraction) -> None:
    clock = FrameClock(ClockSettings(longest_step_seconds=LONGEST_LIVE_STEP))
    before = [clock.place(n * FRAME, FRAME) for n in range(10)]
    after = [clock.place(n * FRAME + jump, FRAME) for n in range(10, 20)]
    assert before == [n * FRAME for n in range(10)]
    if not -LONGEST_BACKSTEP - 1 <= jump <= LONGEST_LIVE_STEP:
        assert after == [n * FRAME for n in range(10, 20)]


def test_a_missing_timestamp_continues_by_one_duration() -> None:
    clock = FrameClock()
    assert [clock.place(s, FRAME) for s in (Fraction(5), None, 5 + 2 * FRAME)] == [0, FRAME, 2 * FRAME]
    late = FrameClock()
    assert [late.place(s, FRAME) for s in (None, None, Fraction(77), 77 + FRAME)] == [0, FRAME, 2 * FRAME, 3 * FRAME]


def test_a_small_step_back_holds_the_time_reached() -> None:
    clock = FrameClock()
    assert [clock.place(Fraction(s, 10), FRAME) for s in (0, 5, 3, 8)] == [
        0,
        Fraction(1, 2),
        Fraction(1, 2),
        Fraction(4, 5),
    ]
