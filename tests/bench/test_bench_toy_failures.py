"""Failure modes are counted where the pictures show things, for models of one or several frames a step."""

from dataclasses import replace
from itertools import product
from math import ceil

import numpy as np
import pytest

from keepsight.bench.chapter_tables import make_tables
from keepsight.bench.datasets.toyworld import ToySource
from keepsight.bench.environment import describe_environment
from keepsight.bench.experiments import Experiment
from keepsight.bench.records import DataSet, Question, Video
from keepsight.bench.results import CaptionedClip, Results
from keepsight.bench.toy_failures import EARLY, NAMED, UNNAMED, failure_cases
from keepsight.method.protocol import ModelInfo
from keepsight.toyworld.captions import true_captions
from keepsight.toyworld.render import drawn_size
from keepsight.toyworld.story import Appearance
from tests.fake_model import FakeModel

SOURCE = ToySource(60_010, 2.0, "crowded")
DATA = DataSet("toys", (Video("toy", SOURCE, (Question("q", "Where?", "here"),)),), "exact")
PIXELS = 300


class MergingModel(FakeModel):
    """Two frames make a step of tokens."""

    @property
    def info(self) -> ModelInfo:
        return replace(super().info, frames_per_step=2)


def pixels_of(shown: Appearance, seconds: float) -> np.ndarray:
    """Pixels of the square in which something is drawn, bool `[PIXELS, PIXELS]`."""
    side = (np.arange(PIXELS) + 0.5) / PIXELS
    across, down = (abs(side - middle) < drawn_size(SOURCE.story, shown) / 2 for middle in shown.position(seconds))
    return np.outer(down, across)


def names_in(clip: CaptionedClip, frames: range, row: int, column: int, side: int) -> set[str]:
    """What covers over 15 % of a cell's pixels in any of some frames of a clip, one every 2 s."""
    size = PIXELS // side
    rows, columns = (slice(place * size, (place + 1) * size) for place in (row, column))
    return {
        shown.thing.noun if shown.thing else "box"
        for frame in frames
        for shown in SOURCE.story.visible_at(clip.start_seconds + 2.0 * frame)
        if pixels_of(shown, clip.start_seconds + 2.0 * frame)[rows, columns].mean() > 0.15
    }


def clip_of(index: int, num_frames: int, num_steps: int, side: int) -> CaptionedClip:
    """A clip that kept tokens of every row and column, and whose caption is true."""
    num_tokens = num_steps * side**2
    start, end = 32.0 * index, 32.0 * index + 2.0 * num_frames
    caption = true_captions(SOURCE.story, [SOURCE.captions[index].span])[0].text
    return CaptionedClip(
        "captions", "toy", index, start, end, caption, num_frames, num_tokens, (*range(0, num_tokens, 7),), 0
    )


def expected_of(
    clips: list[CaptionedClip], frames_per_step: int, side: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Scores of kept tokens, and of things on screen, by case."""
    tokens: dict[str, float] = {}
    things: dict[str, float] = {}
    for clip in clips:
        starts = range(0, clip.num_frames, frames_per_step)
        steps = [range(start, min(start + frames_per_step, clip.num_frames)) for start in starts]
        cells = list(product(steps, range(side), range(side)))
        kept = {index: names_in(clip, *cells[index], side) for index in clip.kept_indices}
        tokens |= {f"toy/{clip.clip_index}/token {index}": float(bool(names)) for index, names in kept.items()}
        for seconds in (clip.start_seconds + 2.0 * frame for frame in range(clip.num_frames)):
            nouns = {shown.thing.noun for shown in SOURCE.story.visible_at(seconds) if shown.thing}
            things |= {f"toy/{clip.clip_index}/{noun}": float(noun in set().union(*kept.values())) for noun in nouns}
    return tokens, things


@pytest.mark.parametrize(("frames_per_step", "side"), [(1, 6), (2, 3), (2, 6), (4, 5)])
def test_a_kept_token_shows_what_the_frames_of_its_step_show(frames_per_step: int, side: int) -> None:
    """The last clip has five frames, so its last step is incomplete."""
    clips = [clip_of(index, frames, ceil(frames / frames_per_step), side) for index, frames in enumerate((16, 16, 5))]
    cases = failure_cases(DATA, clips, frames_per_step)
    tokens, things = expected_of(clips, frames_per_step, side)
    assert {case.case: case.score for case in cases if case.columns == (EARLY,)} == tokens
    assert {case.case: case.score for case in cases if case.columns in {(NAMED,), (UNNAMED,)}} == things
    assert 5 <= sum(tokens.values()) <= len(tokens) - 5


def test_the_table_counts_with_the_frames_per_step_of_the_model() -> None:
    environment = describe_environment(MergingModel(), processes=1, seed=0)
    clips = [clip_of(index, 16, 8, 3) for index in range(3)]
    results = Results("toys", "", "exact", {"captions": ""}, environment, (), tuple(clips))
    overview = Experiment("overview", "Overview", {"ours": "captions"}, "ours")
    (table,) = [table for table in make_tables(results, DATA, overview) if table.title.endswith("failure modes")]
    tokens, _ = expected_of(clips, 2, 3)
    assert table.rows[0].cells[EARLY].value == pytest.approx(np.mean(list(tokens.values())))
