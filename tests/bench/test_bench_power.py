"""Numbers of videos against normal theory, the smallest that the test allows, and runs of the test itself."""

import math

import numpy as np
import pytest

from keepsight.bench.statistics import paired_difference
from keepsight.bench.statistics.power import Pilot, closed_form, simulated_power, videos_needed
from keepsight.errors import DataError
from tests.bench.clustered_worlds import World


@pytest.mark.parametrize(("spread", "difference", "normal"), [(0.2, 0.05, 125.6), (0.3, 0.1, 70.6), (0.15, 0.01, 1766)])
def test_the_closed_form_is_the_textbooks(spread: float, difference: float, normal: float) -> None:
    """(1.960 + 0.842)^2 spread^2 / difference^2, and some two videos more, as the spread has to be estimated."""
    assert normal == pytest.approx((1.95996 + 0.84162) ** 2 * spread**2 / difference**2, rel=1e-3)
    assert normal < closed_form(Pilot.of_spread(spread), difference) < normal + 4


def test_simulation_and_closed_form_agree_on_normal_videos() -> None:
    found = videos_needed(Pilot.of_spread(0.2), 0.1)
    assert found.is_simulated
    assert found.num_videos == pytest.approx(found.closed_form, abs=3)
    assert found.power >= 0.8
    large = videos_needed(Pilot.of_spread(0.3), 0.02)
    assert (large.num_videos, large.is_simulated) == (large.closed_form, False)
    assert large.power == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize(("num_comparisons", "fewest"), [(1, 6), (11, 9)])
def test_no_difference_is_so_large_that_fewer_videos_show_it(num_comparisons: int, fewest: int) -> None:
    assert videos_needed(Pilot.of_spread(0.001), 0.9, num_comparisons=num_comparisons).num_videos == fewest


def test_without_a_difference_the_power_is_the_level() -> None:
    pilot = Pilot.of_spread(0.2)
    assert simulated_power(pilot, 0.0, 10, 0.05) == pytest.approx(0.05, abs=0.015)
    assert simulated_power(pilot, 0.0, 30, 0.05 / 4) == pytest.approx(0.0125, abs=0.008)


def test_a_pilots_spread_is_that_of_its_videos() -> None:
    """Videos of 2 questions that differ by 1, 0 and -1 have the standard deviation 1."""
    pilot = Pilot.of_scores([1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1], ["u", "u", "v", "v", "w", "w"])
    assert (pilot.difference, pilot.num_videos) == (0, 3)
    assert pilot.spread == pytest.approx(1)
    sizes = Pilot.of_scores([1.0] * 9, [0, 1, 1, 1, 1, 1, 0, 0, 0], ["u"] + ["v"] * 5 + ["w"] * 3)
    excess = np.array([1 - 4 / 9, 0 - 20 / 9, 3 - 12 / 9])
    assert sizes.excess == pytest.approx(excess * math.sqrt(1.5))


@pytest.mark.parametrize("videos", ["uuuuuu", "uuuvvv"])
def test_a_pilot_needs_videos(videos: str) -> None:
    with pytest.raises(DataError, match="at least 3 videos"):
        Pilot.of_scores([1.0] * 6, [0.0] * 6, list(videos))


def test_a_pilot_needs_videos_that_differ() -> None:
    with pytest.raises(DataError, match="same difference in all"):
        Pilot.of_scores([1.0] * 6, [0.0] * 6, list("uuvvww"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "num_comparisons"),
    [(World(0.8, 0.7), 1), (World(0.75, 0.6, "uneven"), 4), (World(0.76, 0.3, "few"), 1)],
)
def test_so_many_videos_show_the_difference_in_80_per_cent(world: World, num_comparisons: int) -> None:
    """The number from a large pilot, tried on new videos with the test of the tables; standard error 1.8 points."""
    rng = np.random.default_rng(3)
    difference = world.a - world.b
    needed = videos_needed(Pilot.of_scores(*world.draw(1500, rng)), difference, num_comparisons=num_comparisons)
    shown = 0
    for _ in range(500):
        found = paired_difference(*world.draw(needed.num_videos, rng))
        shown += found.is_real(min(1.0, num_comparisons * found.p_clustered))
    assert shown / 500 == pytest.approx(needed.power, abs=0.06)
