"""Scores of two methods on videos whose questions are alike, with the truth known; and how often intervals hold it.

`python -m tests.bench.clustered_worlds` prints the table in the docstring of `keepsight.bench.statistics`.

A question is right if a normal number stays below the quantile of the method's accuracy. The number has parts that all
questions of a video share (its difficulty, the same for both methods; and the method's luck with this video), a part
that both methods share (the question's difficulty), and the rest.
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from keepsight.bench.statistics import accuracy_interval, paired_difference

_NORMAL = NormalDist()


@dataclass(frozen=True)
class World:
    """Methods and videos.

    Attributes:
        a: accuracy of the first method on a question drawn at random, sizes being independent.
        b: that of the second.
        sizes: "even" for 20 questions a video; "uneven" for some 3 to 70; "few" for 1 to 8; "telling" for uneven
            ones where hard videos have more questions.
        of_video: share of variance that videos make for both methods alike.
        of_luck: share that videos make for each method alone.
        of_question: share that questions make for both.
    """

    a: float
    b: float
    sizes: str = "even"
    of_video: float = 0.15
    of_luck: float = 0.06
    of_question: float = 0.4

    def draw(self, num_videos: int, rng: np.random.Generator) -> tuple[list[float], list[float], list[str]]:
        """Scores of both methods and videos of the questions."""
        hardness = rng.standard_normal(num_videos)
        counts = self._counts(hardness, rng)
        video = np.repeat(np.arange(num_videos), counts)
        shared = math.sqrt(self.of_video) * hardness[video]
        shared = shared + math.sqrt(self.of_question) * rng.standard_normal(len(video))
        rest = math.sqrt(1 - self.of_video - self.of_luck - self.of_question)
        scores = []
        for accuracy in (self.a, self.b):
            luck = math.sqrt(self.of_luck) * rng.standard_normal(num_videos)[video]
            number = shared + luck + rest * rng.standard_normal(len(video))
            scores.append((number < _NORMAL.inv_cdf(accuracy)).astype(float).tolist())
        return scores[0], scores[1], video.astype(str).tolist()

    def truth(self) -> tuple[float, float]:
        """Accuracies over all questions of infinitely many videos."""
        if self.sizes != "telling":
            return self.a, self.b
        rng = np.random.default_rng(0)
        hardness = rng.standard_normal(400_000)
        counts = self._counts(hardness, rng)
        left = math.sqrt(1 - self.of_video)
        grid = np.linspace(-6, 6, 2001)
        found = []
        for accuracy in (self.a, self.b):
            chance = [_NORMAL.cdf((_NORMAL.inv_cdf(accuracy) - math.sqrt(self.of_video) * x) / left) for x in grid]
            found.append(float((counts * np.interp(hardness, grid, chance)).sum() / counts.sum()))
        return found[0], found[1]

    def _counts(self, hardness: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
        if self.sizes == "even":
            return np.full(len(hardness), 20)
        if self.sizes == "few":
            return rng.integers(1, 9, len(hardness))
        spread = rng.standard_normal(len(hardness))
        if self.sizes == "telling":
            spread = 0.7 * hardness + math.sqrt(1 - 0.7**2) * spread
        return np.clip(np.rint(np.exp(math.log(15) + 0.7 * spread)), 1, 120).astype(np.int64)


@dataclass(frozen=True)
class Coverage:
    """How often, in many draws, what was said was so.

    Attributes:
        accuracy: share of intervals of the first method that hold its accuracy.
        difference: share of intervals of the difference that hold it.
        real: share of differences that are marked as real.
        width: mean width of the difference's interval.
    """

    accuracy: float
    difference: float
    real: float
    width: float


def coverage(world: World, num_videos: int, num_draws: int, seed: int = 0) -> Coverage:
    """Coverage of the intervals of a world's draws."""
    rng = np.random.default_rng((seed, num_videos))
    true_a, true_b = world.truth()
    held_a = held = real = 0
    width = 0.0
    for draw in range(num_draws):
        a, b, videos = world.draw(num_videos, rng)
        by_video: dict[str, list[float]] = {}
        for score, video in zip(a, videos, strict=True):
            by_video.setdefault(video, []).append(score)
        interval = accuracy_interval(by_video, seed=draw)
        held_a += interval.low <= true_a <= interval.high
        difference = paired_difference(a, b, videos, seed=draw)
        held += difference.low - 1e-12 <= true_a - true_b <= difference.high + 1e-12
        real += difference.is_real()
        width += difference.high - difference.low
    return Coverage(held_a / num_draws, held / num_draws, real / num_draws, width / num_draws)


WORLDS = {
    "80 and 80 %, 20 questions a video": World(0.8, 0.8),
    "80 and 74 %, 3 to 70 questions": World(0.8, 0.74, "uneven"),
    "75 and 50 %, 3 to 70 questions": World(0.75, 0.5, "uneven"),
    "80 and 74 %, hard videos have more": World(0.8, 0.74, "telling"),
    "76 and 8 %, 1 to 8 questions": World(0.76, 0.08, "few"),
    "95 and 93 %, 20 questions": World(0.95, 0.93),
    "97 and 96 %, 3 to 70 questions": World(0.97, 0.96, "uneven"),
    "99 and 97 %, luck of videos": World(0.99, 0.97, "even", 0.3, 0.3, 0.3),
}
"""Like the tables of experiments: all questions, unequal videos, clauses that need memory, and near the ceiling."""

NUM_VIDEOS = (3, 6, 8, 12, 30)


def lines(num_draws: int) -> Iterator[str]:
    """The table, a line a world: accuracy / difference for each number of videos, in per cent."""
    yield f"{'':36}" + "".join(f"{number:>10}" for number in NUM_VIDEOS)
    for name, world in WORLDS.items():
        found = [coverage(world, number, num_draws) for number in NUM_VIDEOS]
        yield f"{name:36}" + "".join(f"{100 * one.accuracy:>6.0f}/{100 * one.difference:.0f}" for one in found)
        yield f"{'  width of the difference, points':36}" + "".join(f"{100 * one.width:>10.0f}" for one in found)
        yield f"{'  marked as real':36}" + "".join(f"{100 * one.real:>10.1f}" for one in found)


if __name__ == "__main__":
    for line in lines(int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
        print(line, flush=True)  # noqa: T201 - a table for a person
