"""The visual memory against a plain list, and its file against every way in which a file can be bad."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from safetensors.torch import save_file
from torch import Tensor

from keepsight.errors import (
    JournalNotFoundError,
    JournalTooNewError,
    JournalWriteError,
    NotAJournalError,
    SettingError,
)
from keepsight.memory import Decay, VisualMemory

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
        (4, torch.zeros(2, DIM), "after clip 4, not 4"),
        (3, torch.zeros(2, DIM), "after clip 4, not 3"),
        (-1, torch.zeros(2, DIM), "0 or more, not -1"),
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
        ([7007, 7008], [0.0, 0.0], "after 8007, not 7007"),
        ([8007, 8008], [0.0, 0.0], "after 8007, not 8007"),
        ([9000, 9000], [0.0, 0.0], "strictly rising"),
        ([-1, 9000], [0.0, 0.0], "0 or more"),
        ([9000], [0.0, 0.0], r"positions of 2 .* not torch.int64 of shape \[1\]"),
        ([9000.0, 9001.0], [0.0, 0.0], "torch.int64 .* not torch.float32"),
        ([9000, 9001], [0.0], r"scores of 2 .* not torch.float32 of shape \[1\]"),
        ([9000, 9001], [0, 0], "torch.float32 .* not torch.int64"),
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
    with pytest.raises(SettingError, match="capacity_clips is 0 or more, not -1"):
        VisualMemory(-1)
    with pytest.raises(SettingError, match="capacity_tokens is 0 or more, or None for no limit, not -2"):
        VisualMemory(1, -2)
    with pytest.raises(SettingError, match="limit_tokens is 0 or more, not -1"):
        VisualMemory().tokens_within(-1)
    with pytest.raises(SettingError, match="first_clip_tokens is 0 or more, not -1"):
        VisualMemory().restore((), first_clip_tokens=-1)


@given(
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    sizes=st.lists(st.integers(1, 5), max_size=6),
    capacity_tokens=st.none() | st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_save_and_load_keep_every_byte(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: torch.dtype,
    sizes: list[int],
    capacity_tokens: int | None,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    memory = VisualMemory(4, capacity_tokens)
    for index, size in enumerate(sizes):
        # Random bytes: NaN with payloads, infinities and subnormals among them.
        raw = torch.randint(0, 256, (size, DIM * dtype.itemsize), generator=generator, dtype=torch.uint8)
        remember(memory, 3 * index, raw.view(dtype))
    path = tmp_path_factory.mktemp("memory") / "stream.safetensors"
    memory.save(path)
    loaded = VisualMemory.load(path)
    assert listing(loaded) == listing(memory)
    assert loaded.num_tokens == memory.num_tokens
    assert all(clip.tokens.dtype == dtype for clip in loaded.clips())
    assert_same(loaded, memory)
    assert [entry.name for entry in path.parent.iterdir()] == ["stream.safetensors"]


def test_a_loaded_memory_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    unbroken, saved = VisualMemory(3, 10), VisualMemory(3, 10)
    for index in range(8):
        remember(unbroken, index, tokens_of(index, 1 + index % 4))
        remember(saved, index, tokens_of(index, 1 + index % 4))
        saved.save(tmp_path / "m")
        saved = VisualMemory.load(str(tmp_path / "m"))
        assert torch.equal(saved.tokens(), unbroken.tokens())


def test_a_policy_and_what_it_counts_by_are_saved(tmp_path: Path) -> None:
    """The room of a policy without whole clips follows from the stream's first clip, which may be long gone."""
    memory = VisualMemory(2, None, Decay(half_life_clips=0.5))
    for index, num_tokens in enumerate([3, 9, 9, 9]):
        remember(memory, index, tokens_of(index, num_tokens))
    memory.save(tmp_path / "m")
    loaded = VisualMemory.load(tmp_path / "m")
    assert loaded.policy == Decay(half_life_clips=0.5)
    for memory_now in (memory, loaded):
        remember(memory_now, 4, tokens_of(4, 9))
        assert memory_now.num_tokens == 6
    assert_same(loaded, memory)


def test_a_policy_of_ones_own_cannot_be_saved(tmp_path: Path) -> None:
    class Own(Decay):
        """Not in the table of policies."""

    with pytest.raises(SettingError, match="only policies of POLICIES can be saved, not"):
        VisualMemory(policy=Own()).save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


OLD_RECORD = '{"version": 1, "capacity_clips": 3, "capacity_tokens": null, "clip_indices": [4, 6]}'


def test_a_file_of_version_1_still_loads(tmp_path: Path) -> None:
    tensors = {"4": tokens_of(4, 2), "6": tokens_of(6, 3)}
    metadata = {"format": "keepsight-visual-memory", "memory": OLD_RECORD}
    save_file(tensors, tmp_path / "old", metadata=metadata)
    loaded = VisualMemory.load(tmp_path / "old")
    assert repr(loaded) == "VisualMemory(capacity_clips=3, capacity_tokens=None, policy=Fifo())"
    assert listing(loaded) == [(4, 2), (6, 3)]
    assert torch.equal(loaded.tokens(), torch.cat(list(tensors.values())))
    remember(loaded, 7, tokens_of(7, 1))
    remember(loaded, 8, tokens_of(8, 2))
    assert listing(loaded) == [(6, 3), (7, 1), (8, 2)]
    loaded.save(tmp_path / "new")
    assert_same(VisualMemory.load(tmp_path / "new"), loaded)


def test_an_empty_file_of_version_1_still_loads(tmp_path: Path) -> None:
    record = '{"version": 1, "capacity_clips": 3, "capacity_tokens": 9, "clip_indices": []}'
    save_file({}, tmp_path / "old", metadata={"format": "keepsight-visual-memory", "memory": record})
    assert listing(VisualMemory.load(tmp_path / "old")) == []


@pytest.mark.parametrize(
    "policy", ['{"name": "best"}', '{"name": "decay", "half_life_clips": 0}', "3", "null", '{"name": ["fifo"]}']
)
def test_a_record_with_a_policy_that_does_not_exist_is_refused(tmp_path: Path, policy: str) -> None:
    record = (
        '{"version": 2, "capacity_clips": 3, "capacity_tokens": null, "clip_indices": [], "first_clip_tokens": 0, '
        f'"policy": {policy}}}'
    )
    save_file({}, tmp_path / "m", metadata={"format": "keepsight-visual-memory", "memory": record})
    with pytest.raises(NotAJournalError, match="is not a saved visual memory"):
        VisualMemory.load(tmp_path / "m")


def filled() -> VisualMemory:
    memory = VisualMemory()
    remember(memory, 0, tokens_of(0, 2))
    return memory


@pytest.mark.parametrize("keep_bytes", [0, 1, 8, 60, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, keep_bytes: int) -> None:
    path = tmp_path / "m"
    filled().save(path)
    path.write_bytes(path.read_bytes()[:keep_bytes])
    with pytest.raises(NotAJournalError, match="is not a saved visual memory"):
        VisualMemory.load(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"format": "keepsight-visual-memory"},
        {"format": "keepsight-visual-memory", "memory": "{"},
        {"format": "keepsight-visual-memory", "memory": "[1]"},
        {"format": "keepsight-visual-memory", "memory": '{"version": 1}'},
    ],
)
def test_another_safetensors_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"0": torch.zeros(1, 2)}, tmp_path / "m", metadata=metadata)
    with pytest.raises(NotAJournalError, match="is not a saved visual memory"):
        VisualMemory.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("capacity_clips", "capacity_tokens", "clip_indices"),
    [
        ("16", "null", "[1]"),
        ("-1", "null", "[0]"),
        ('"x"', "null", "[0]"),
        ("16", "2.5", "[0]"),
        ("16", "null", "[0, 0]"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(
    tmp_path: Path, capacity_clips: str, capacity_tokens: str, clip_indices: str
) -> None:
    record = (
        f'{{"version": 1, "capacity_clips": {capacity_clips}, "capacity_tokens": {capacity_tokens}, '
        f'"clip_indices": {clip_indices}}}'
    )
    metadata = {"format": "keepsight-visual-memory", "memory": record}
    save_file({"0": torch.zeros(1, 2)}, tmp_path / "m", metadata=metadata)
    with pytest.raises(NotAJournalError, match="is not a saved visual memory"):
        VisualMemory.load(tmp_path / "m")


def test_missing_folder_and_newer_files(tmp_path: Path) -> None:
    with pytest.raises(JournalNotFoundError, match="there is no saved visual memory at"):
        VisualMemory.load(tmp_path / "none")
    with pytest.raises(NotAJournalError):
        VisualMemory.load(tmp_path)
    metadata = {"format": "keepsight-visual-memory", "memory": '{"version": 3}'}
    save_file({}, tmp_path / "new", metadata=metadata)
    with pytest.raises(JournalTooNewError, match="version 3, this one reads up to 2"):
        VisualMemory.load(tmp_path / "new")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m"
    filled().save(path)
    before = path.read_bytes()
    (tmp_path / "m.partial").mkdir()  # the file beside it can't be opened for writing
    with pytest.raises(JournalWriteError, match="cannot write the visual memory to"):
        VisualMemory().save(path)
    assert path.read_bytes() == before
    with pytest.raises(JournalWriteError):
        filled().save(tmp_path / "no such folder" / "m")
    with pytest.raises(JournalWriteError):
        filled().save(path / "inside a file")
