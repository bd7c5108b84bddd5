"""The visual memory against a plain list, and its file against every way in which a file can be bad."""

import pytest
import torch
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from torch import Tensor

from keepsight.errors import (
    SettingError,
)
from keepsight.method.memory import VisualMemory

DIM = 3
PLACES = 2000  # visual tokens of a clip before selection


def tokens_of(clip_index: int, num_tokens: int, dtype: torch.dtype = torch.float32) -> Tensor:
    start = clip_index * 100
    return torch.arange(start, start + num_tokens, dtype=torch.float32)[:, None].repeat(1, DIM).to(dtype)


def positions_of(clip_index: int, num_tokens: int) -> Tensor:
    return clip_index * PLACES + 7 * torch.arange(num_tokens)


def scores_of(clip_index: int, num_tokens: int) -> Tensor:
    return 1 / (1.0 + clip_index + torch.arange(num_tokens))


def remember(memory: VisualMemory, clip_index: int, tokens: Tensor) -> None:
    """Append tokens with positions and scores that follow from the clip's index."""
    num_tokens = len(tokens)
    memory.append(clip_index, tokens, positions_of(clip_index, num_tokens), scores_of(clip_index, num_tokens))


def assert_same(ours: VisualMemory, theirs: VisualMemory) -> None:
    assert repr(ours) == repr(theirs)
    for one, other in zip(ours.clips(), theirs.clips(), strict=True):
        assert one.clip_index == other.clip_index
        assert one.tokens.dtype == other.tokens.dtype
        for name in ("tokens", "positions", "scores"):
            assert torch.equal(getattr(one, name).view(torch.uint8), getattr(other, name).view(torch.uint8)), name


def listing(memory: VisualMemory) -> list[tuple[int, int]]:
    return [(clip.clip_index, clip.num_tokens) for clip in memory.clips()]


class AgainstAList(RuleBasedStateMachine):
    """Appends and reads; the model is a list of (clip index, token values)."""

    @initialize(clips=st.integers(0, 5), tokens=st.none() | st.integers(0, 12))
    def start(self, clips: int, tokens: int | None) -> None:
        self.memory = VisualMemory(clips, tokens)
        self.limits = (clips, tokens)
        self.model: list[tuple[int, list[float]]] = []
        self.next_index = 0

    @rule(num_tokens=st.integers(1, 8), skip=st.integers(0, 2))
    def append(self, num_tokens: int, skip: int) -> None:
        index = self.next_index + skip
        self.next_index = index + 1
        remember(self.memory, index, tokens_of(index, num_tokens))
        assert [clip.clip_index for clip in self.memory.changed_clips()] == [index] * min(1, *self.room())
        max_clips, max_tokens = self.limits
        self.model.append((index, tokens_of(index, num_tokens)[:, 0].tolist()))
        while self.model and len(self.model) > max_clips:
            del self.model[0]
        if max_tokens is not None:
            while len(self.model) > 1 and sum(len(values) for _, values in self.model) > max_tokens:
                del self.model[0]
            if self.model:
                kept_index, values = self.model[-1]
                values = values[max(0, len(values) - max_tokens) :]
                self.model[-1:] = [(kept_index, values)] if values else []

    def room(self) -> tuple[int, int]:
        clips, tokens = self.limits
        return clips, 1 if tokens is None else tokens

    @rule(limit=st.integers(0, 30))
    def read_within(self, limit: int) -> None:
        wanted: list[float] = []
        for _, values in reversed(self.model):
            if len(wanted) + len(values) > limit:
                break
            wanted = values + wanted
        within = self.memory.tokens_within(limit, like=torch.zeros(1, DIM))
        assert within.tokens.shape == (len(wanted), DIM)
        assert within.tokens[:, 0].tolist() == wanted
        # Token n of a clip has the value 100 * clip + n and stands at 2000 * clip + 7 * n.
        places = [int(value // 100) * PLACES + 7 * int(value % 100) for value in wanted]
        assert within.positions.tolist() == places

    @invariant()
    def same(self) -> None:
        expected = [value for _, values in self.model for value in values]
        assert self.memory.tokens(like=torch.zeros(1, DIM))[:, 0].tolist() == expected
        assert self.memory.num_tokens == len(expected)
        assert listing(self.memory) == [(index, len(values)) for index, values in self.model]


TestAgainstAList = AgainstAList.TestCase


def test_defaults_are_the_papers() -> None:
    memory = VisualMemory()
    for index in range(20):
        remember(memory, index, torch.zeros(196, 2))
    assert memory.num_tokens == 3136  # half of 6,272
    assert [clip.clip_index for clip in memory.clips()] == list(range(4, 20))
    assert repr(memory) == "VisualMemory(capacity_clips=16, capacity_tokens=None, policy=Fifo())"


def test_a_clip_longer_than_the_capacity_keeps_its_newest_tokens() -> None:
    memory = VisualMemory(16, capacity_tokens=3)
    remember(memory, 0, tokens_of(0, 2))
    remember(memory, 1, tokens_of(1, 5))
    assert listing(memory) == [(1, 3)]
    assert memory.tokens()[:, 0].tolist() == [102.0, 103.0, 104.0]


@pytest.mark.parametrize("capacities", [(0, None), (16, 0)])
def test_capacity_zero_is_no_memory(capacities: tuple[int, int | None]) -> None:
    memory = VisualMemory(*capacities)
    remember(memory, 0, tokens_of(0, 4))
    assert memory.num_tokens == 0
    assert memory.clips() == ()


def test_an_empty_memory_looks_like_the_clip() -> None:
    clip = torch.zeros(5, 7, dtype=torch.bfloat16)
    view = VisualMemory().tokens_within(9, like=clip)
    assert (view.positions.shape, view.positions.dtype) == ((0,), torch.int64)
    for empty in (VisualMemory().tokens(like=clip), view.tokens):
        assert empty.shape == (0, 7)
        assert empty.dtype == torch.bfloat16
    assert VisualMemory().tokens().shape == (0, 0)
    memory = VisualMemory()
    remember(memory, 0, clip)
    assert memory.tokens_within(4).tokens.shape == (0, 7)


def test_the_memory_owns_its_tokens() -> None:
    """A view would keep the whole clip alive, and the caller could change it."""
    whole = torch.zeros(1000, DIM)
    memory = VisualMemory()
    remember(memory, 0, whole[10:12])
    whole.fill_(1)
    assert memory.tokens().sum() == 0
    assert memory.clips()[0].tokens.untyped_storage().nbytes() == 2 * DIM * 4
    positions, scores = torch.arange(3000, 5000), torch.zeros(2000)
    memory.append(3, whole[:2], positions[:2], scores[:2])
    positions.fill_(0)
    scores.fill_(1)
    clip = memory.clips()[1]
    assert clip.positions.tolist() == [3000, 3001]
    assert clip.scores.tolist() == [0, 0]
    assert (clip.positions.untyped_storage().nbytes(), clip.scores.untyped_storage().nbytes()) == (16, 8)


@pytest.mark.parametrize(
    ("clip_index", "tokens", "message"),
    [
        (4, torch.zeros(2, DIM), "above 4, got 4"),
        (3, torch.zeros(2, DIM), "above 4, got 3"),
        (-1, torch.zeros(2, DIM), "at least 0, got -1"),
        (5, torch.zeros(2, DIM + 1), "3 dims"),
        (5, torch.zeros(2, DIM, dtype=torch.float16), "float16"),
        (5, torch.zeros(0, DIM), r"\[0, 3\]"),
        (5, torch.zeros(DIM), r"\[3\]"),
    ],
)
def test_a_clip_that_does_not_belong_changes_nothing(clip_index: int, tokens: Tensor, message: str) -> None:
    memory = VisualMemory()
    remember(memory, 4, tokens_of(4, 2))
    with pytest.raises(SettingError, match=message):
        remember(memory, clip_index, tokens)
    assert listing(memory) == [(4, 2)]


@pytest.mark.parametrize(
    ("positions", "scores", "message"),
    [
        ([7007, 7008], [0.0, 0.0], "above 8007, got 7007"),
        ([8007, 8008], [0.0, 0.0], "above 8007, got 8007"),
        ([9000, 9000], [0.0, 0.0], "strictly increasing"),
        ([-1, 9000], [0.0, 0.0], "at least 0"),
        ([9000], [0.0, 0.0], r"positions of 2 .* got torch.int64 of shape \[1\]"),
        ([9000.0, 9001.0], [0.0, 0.0], "torch.int64 .* got torch.float32"),
        ([9000, 9001], [0.0], r"scores of 2 .* got torch.float32 of shape \[1\]"),
        ([9000, 9001], [0, 0], "torch.float32 .* got torch.int64"),
    ],
)
def test_positions_and_scores_that_do_not_belong_change_nothing(
    positions: list[float], scores: list[float], message: str
) -> None:
    memory = VisualMemory()
    remember(memory, 4, tokens_of(4, 2))
    with pytest.raises(SettingError, match=message):
        memory.append(5, tokens_of(5, 2), torch.tensor(positions), torch.tensor(scores))
    assert listing(memory) == [(4, 2)]


def test_negative_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="capacity_clips must be at least 0, got -1"):
        VisualMemory(-1)
    with pytest.raises(SettingError, match="capacity_tokens must be at least 0, or None for no limit, got -2"):
        VisualMemory(1, -2)
    with pytest.raises(SettingError, match="limit_tokens must be at least 0, got -1"):
        VisualMemory().tokens_within(-1)
    with pytest.raises(SettingError, match="first_clip_tokens must be at least 0, got -1"):
        VisualMemory().restore((), first_clip_tokens=-1)
