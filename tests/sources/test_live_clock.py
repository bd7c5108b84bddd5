"""Times of live frames: on a steady clock, with the source's distances, never backwards; whatever timestamps do."""

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import SettingError
from keepsight.sources.backoff import Backoff
from keepsight.sources.live_clock import SMALLEST_GAP_SECONDS, LiveClock, RunStart, begin_run, steady_seconds

STARTED_AT = 1_700_000_000.0
times = st.floats(0, 1e6)


def test_frames_keep_the_distances_of_their_source() -> None:
    clock = LiveClock(STARTED_AT)
    clock.connected()
    # Arrivals jitter by up to a second; what is given out does not.
    given_out = [clock.place(2.0 * k, STARTED_AT + 10 + 2.0 * k + (k % 3) * 0.5) for k in range(20)]
    assert given_out == pytest.approx([10 + 2.0 * k for k in range(20)])


def test_a_burst_after_a_held_back_network_keeps_its_times() -> None:
    clock = LiveClock(STARTED_AT)
    clock.connected()
    assert clock.place(0.0, STARTED_AT) == 0
    assert [clock.place(float(k), STARTED_AT + 4.5) for k in range(1, 5)] == [1, 2, 3, 4]


def test_a_clock_that_runs_wrong_is_set_right() -> None:
    clock = LiveClock(STARTED_AT)
    clock.connected()
    for minute in range(0, 600):
        wall = 60.0 * minute
        assert abs(clock.place(wall * 1.01, STARTED_AT + wall) - wall) <= 5.0 + 0.61


def test_a_new_connection_stands_where_it_arrives() -> None:
    clock = LiveClock(STARTED_AT)
    clock.connected()
    clock.place(900.0, STARTED_AT + 5)
    clock.connected()
    assert clock.place(0.0, STARTED_AT + 65) == pytest.approx(65)


def test_a_stream_that_is_taken_up_never_goes_back_behind_what_is_stored() -> None:
    clock = LiveClock(STARTED_AT, reached_seconds=500.0)
    clock.connected()
    assert clock.place(0.0, STARTED_AT + 100) == 500.0
    assert clock.now(STARTED_AT + 50) == 500.0
    assert clock.now(STARTED_AT + 600) == 600.0


@pytest.mark.parametrize("seconds_a_picture", [7, 15, 19])
def test_frames_of_pictures_that_stay_long_keep_their_times(seconds_a_picture: int) -> None:
    """What is on screen is known once the next picture comes, so its frames arrive together then."""
    clock = LiveClock(STARTED_AT)
    clock.connected()
    assert clock.place(0.0, STARTED_AT) == 0
    for picture in range(1, 40):
        arrival = picture * seconds_a_picture
        expected = range(arrival - seconds_a_picture + 1, arrival + 1)
        assert [clock.place(float(k), STARTED_AT + arrival) for k in expected] == pytest.approx(list(expected))


def test_a_source_that_stood_still_is_moved_to_its_arrivals() -> None:
    """Its own clock stood still, too, so its frames would be late for ever."""
    clock = LiveClock(STARTED_AT)
    clock.connected()
    for k in range(10):
        clock.place(float(k), STARTED_AT + k)
    late = [k + 15 - clock.place(float(k), STARTED_AT + k + 15) for k in range(10, 40)]
    assert late[-1] == 0
    assert late == sorted(late, reverse=True)
    assert max(late) <= 15


def test_frames_after_a_suspension_stand_where_they_arrive() -> None:
    clock = LiveClock(STARTED_AT)
    clock.connected()
    clock.place(0.0, STARTED_AT)
    assert clock.place(1.0, STARTED_AT + 3600) == 3600


def test_a_run_begins_where_the_wall_clock_says() -> None:
    about: Any = pytest.approx(0.1)
    assert begin_run(STARTED_AT, 0.0, STARTED_AT + 0.1, 7.0) == RunStart(about, STARTED_AT)
    assert begin_run(STARTED_AT, 50.0, STARTED_AT + 3600, 7.0) == RunStart(3600, STARTED_AT)
    # A clip ends when its last frame leaves the screen: that is no clock set back.
    assert begin_run(STARTED_AT, 52.0, STARTED_AT + 50, 7.0) == RunStart(52.0, STARTED_AT)


def test_a_run_after_the_clock_was_set_back_goes_on_and_says_so() -> None:
    run = begin_run(STARTED_AT, 500.0, STARTED_AT + 510 - 7200, 7.0)
    assert run.seconds == 500 + SMALLEST_GAP_SECONDS
    assert run.started_at + run.seconds == STARTED_AT + 510 - 7200
    assert run.set_back_seconds == 7190


def test_the_steady_clock_is_no_clock_that_can_be_set() -> None:
    assert steady_seconds() <= steady_seconds()
    assert abs(steady_seconds() - time.time()) > 86_400  # it counts from the machine's start


@given(st.lists(st.tuples(times, times, st.booleans()), max_size=50))
def test_time_never_runs_back(steps: list[tuple[float, float, bool]]) -> None:
    """Media times that wrap or jump, arrivals in any order, connections that come and go."""
    clock, latest = LiveClock(STARTED_AT), 0.0
    for media_seconds, arrival, is_new in steps:
        if is_new:
            clock.connected()
        placed = clock.place(media_seconds, STARTED_AT + arrival)
        assert placed >= latest
        assert placed == clock.reached_seconds
        # Ahead of its arrival by no more than the drift allowed, unless time is held at what was reached.
        assert placed <= max(latest, arrival + 5.0 + 1e-6)
        latest = placed


@given(st.integers(0, 5000), st.integers(0, 2**32))
def test_waits_grow_to_the_longest_with_chance_in_them(attempt: int, seed: int) -> None:
    backoff = Backoff(first_seconds=0.5, longest_seconds=60)
    wait = backoff.wait_seconds(attempt, random.Random(seed))
    whole = min(60.0, 0.5 * 2 ** min(attempt, 20))
    assert whole / 2 <= wait <= whole


@pytest.mark.parametrize(("first", "longest"), [(0, 1), (-1, 1), (2, 1)])
def test_waits_out_of_range_are_refused(first: float, longest: float) -> None:
    with pytest.raises(SettingError, match="waits must have 0 < first <= longest"):
        Backoff(first, longest)
