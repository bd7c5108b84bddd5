"""Selectors without a language model against their definitions written as loops, and the grid that they are given."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from keepsight import Watcher
from keepsight.errors import SettingError
from keepsight.journal import Journal
from keepsight.method.recurrence import selector_of
from keepsight.method.selection import Change, Median, Saliency, Selected, Selector, count_kept, keep, make_selector
from keepsight.settings import Settings
from tests.fake_model import FakeModel
from tests.small_videos import MakeVideo

GRIDS = st.tuples(st.integers(1, 4), st.integers(1, 4))
STEPS = st.integers(1, 6)
RETENTIONS = st.sampled_from([0.01, 0.0625, 0.25, 0.5, 1.0])
NAMES = ("change", "median", "saliency")


def clip(num_steps: int, grid: tuple[int, int], seed: int) -> Tensor:
    """Small whole numbers, so that every distance is exact and many tokens are equal."""
    draw = np.random.default_rng(seed)
    return torch.tensor(draw.integers(0, 3, (num_steps * grid[0] * grid[1], 3)), dtype=torch.float32)


def rated(name: str, tokens: Tensor, num_cells: int) -> list[float]:
    """Ratings by definition, token by token; squared distances, which order alike."""
    steps = tokens.double().numpy().reshape(-1, num_cells, tokens.shape[1])
    ratings = []
    for step in range(len(steps)):
        for cell in range(num_cells):
            if name == "change":
                other = step - 1 if step else 1
                usual = steps[other, cell] if other < len(steps) else steps[step, cell]
            elif name == "median":
                usual = np.median(steps[:, cell], axis=0)
            else:
                usual = np.median(steps[step], axis=0)
            ratings.append(float(((steps[step, cell] - usual) ** 2).sum()))
    return ratings


@given(st.sampled_from(NAMES), STEPS, GRIDS, RETENTIONS, st.integers(0, 10_000))
def test_what_differs_most_is_kept_and_of_equals_the_earlier(
    name: str, num_steps: int, grid: tuple[int, int], retention: float, seed: int
) -> None:
    tokens = clip(num_steps, grid, seed)
    ratings = rated(name, tokens, grid[0] * grid[1])
    ranked = sorted(range(len(tokens)), key=lambda index: (-ratings[index], index))
    selected = make_selector(name, retention=retention, token_grid=grid).select(tokens, torch.zeros(len(tokens)))
    assert selected.indices.tolist() == sorted(ranked[: count_kept(len(tokens), retention)])
    assert torch.equal(selected.tokens, tokens[selected.indices])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_steps", [1, 2, 16])
def test_a_clip_in_which_nothing_differs_keeps_its_first_tokens(name: str, num_steps: int) -> None:
    tokens = torch.full((num_steps * 12, 5), 0.1)
    selected = make_selector(name, retention=0.25, token_grid=(3, 4)).select(tokens, torch.rand(len(tokens)))
    assert selected.indices.tolist() == list(range(num_steps * 3))


def test_something_that_comes_into_a_picture_is_found() -> None:
    """A bright cell from the third of five pictures on, in a scene of unequal cells."""
    scene = torch.arange(6).float()[:, None].repeat(1, 4)
    steps = scene.repeat(5, 1, 1)
    steps[2:, 4] = 90.0
    tokens, scores = steps.flatten(0, 1), torch.zeros(30)
    shown = [2 * 6 + 4, 3 * 6 + 4, 4 * 6 + 4]
    assert Saliency(0.1, (2, 3)).select(tokens, scores).indices.tolist() == shown
    assert Change(1 / 30, (2, 3)).select(tokens, scores).indices.tolist() == shown[:1]
    # It is there for most of the clip, so the background of that cell is the thing.
    assert Median(2 / 30, (2, 3)).select(tokens, scores).indices.tolist() == [4, 6 + 4]


@pytest.mark.parametrize("name", NAMES)
def test_tokens_that_are_no_whole_steps_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match="visual tokens must be whole steps of 3 x 3, got 10"):
        make_selector(name, token_grid=(3, 3)).select(torch.zeros(10, 2), torch.zeros(10))


@dataclass(frozen=True)
class FirstColumn:
    """Keeps the first column of every step: a part that needs the grid."""

    token_grid: tuple[int, int] | None = None
    retention: float = 0.5

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        assert self.token_grid is not None
        return keep(tokens, torch.arange(0, len(tokens), self.token_grid[1]))


@dataclass(frozen=True)
class Gridless:
    """Keeps the first token: a part as they were before there was a grid."""

    retention: float = 0.5

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        return keep(tokens, torch.tensor([0]))


def test_the_grid_is_filled_where_a_part_leaves_it_open() -> None:
    settings = Settings(selector=Change(0.5))
    assert selector_of(settings, 0) == Change(0.5)
    assert selector_of(settings, 0, (3, 4)) == Change(0.5, (3, 4))
    assert selector_of(Settings(selector="median"), 0, (3, 4)) == Median(0.0625, (3, 4))
    own: Selector = Saliency(0.5, (1, 2))
    assert make_selector(own, token_grid=(3, 4)) is own  # type: ignore[arg-type]
    part = Gridless()
    assert make_selector(part, token_grid=(3, 4)) is part


def test_a_part_gets_the_grid_of_each_clip(make_video: MakeVideo, tmp_path: Path) -> None:
    settings = Settings(selector=FirstColumn(), frames_per_clip=4, sample_fps=1.0)
    kept = []
    for grid in ((2, 3), (3, 2)):
        with Watcher(FakeModel(grid=grid), tmp_path / f"{grid}.db", settings) as watcher:
            kept.append([list(moment.kept_indices) for moment in watcher.watch(make_video(seconds=8))])
    assert kept == [[list(range(0, 24, 3))] * 2, [list(range(0, 24, 2))] * 2]


def test_a_stream_with_an_object_without_a_grid_is_resumed(make_video: MakeVideo, tmp_path: Path) -> None:
    settings = Settings(selector=Change(0.25), frames_per_clip=4, sample_fps=1.0)
    with Watcher(FakeModel(), tmp_path / "a.db", settings) as watcher:
        next(watcher.watch(make_video(seconds=12)))
    with Watcher(FakeModel(), tmp_path / "a.db", replace(settings, selector=Change(0.25))) as watcher:
        assert [moment.clip_index for moment in watcher.watch(make_video(seconds=12))] == [1, 2]
    with Journal.open(tmp_path / "a.db") as journal:
        (stream,) = journal.streams.all()
        assert [clip.clip_index for clip in journal.clips.of(stream.id)] == [0, 1, 2]
