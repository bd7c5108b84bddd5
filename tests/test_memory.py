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
from keepsight.memory import VisualMemory

DIM = 3


def tokens_of(clip_index: int, num_tokens: int, dtype: torch.dtype = torch.float32) -> Tensor:
    start = clip_index * 100
    return torch.arange(start, start + num_tokens, dtype=torch.float32)[:, None].repeat(1, DIM).to(dtype)


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
        self.memory.append(index, tokens_of(index, num_tokens))
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

    @rule(limit=st.integers(0, 30))
    def read_within(self, limit: int) -> None:
        wanted: list[float] = []
        for _, values in reversed(self.model):
            if len(wanted) + len(values) > limit:
                break
            wanted = values + wanted
        within = self.memory.tokens_within(limit, like=torch.zeros(1, DIM))
        assert within.shape == (len(wanted), DIM)
        assert within[:, 0].tolist() == wanted

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
        memory.append(index, torch.zeros(196, 2))
    assert memory.num_tokens == 3136  # half of 6,272
    assert [clip.clip_index for clip in memory.clips()] == list(range(4, 20))
    assert repr(memory) == "VisualMemory(capacity_clips=16, capacity_tokens=None)"


def test_a_clip_longer_than_the_capacity_keeps_its_newest_tokens() -> None:
    memory = VisualMemory(16, capacity_tokens=3)
    memory.append(0, tokens_of(0, 2))
    memory.append(1, tokens_of(1, 5))
    assert listing(memory) == [(1, 3)]
    assert memory.tokens()[:, 0].tolist() == [102.0, 103.0, 104.0]


@pytest.mark.parametrize("capacities", [(0, None), (16, 0)])
def test_capacity_zero_is_no_memory(capacities: tuple[int, int | None]) -> None:
    memory = VisualMemory(*capacities)
    memory.append(0, tokens_of(0, 4))
    assert memory.num_tokens == 0
    assert memory.clips() == ()


def test_an_empty_memory_looks_like_the_clip() -> None:
    clip = torch.zeros(5, 7, dtype=torch.bfloat16)
    for empty in (VisualMemory().tokens(like=clip), VisualMemory().tokens_within(9, like=clip)):
        assert empty.shape == (0, 7)
        assert empty.dtype == torch.bfloat16
    assert VisualMemory().tokens().shape == (0, 0)
    memory = VisualMemory()
    memory.append(0, clip)
    assert memory.tokens_within(4).shape == (0, 7)


def test_the_memory_owns_its_tokens() -> None:
    """A view would keep the whole clip alive, and the caller could change it."""
    whole = torch.zeros(1000, DIM)
    memory = VisualMemory()
    memory.append(0, whole[10:12])
    whole.fill_(1)
    assert memory.tokens().sum() == 0
    assert memory.clips()[0].tokens.untyped_storage().nbytes() == 2 * DIM * 4


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
    memory.append(4, tokens_of(4, 2))
    with pytest.raises(SettingError, match=message):
        memory.append(clip_index, tokens)
    assert listing(memory) == [(4, 2)]


def test_negative_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="capacity_clips is 0 or more, not -1"):
        VisualMemory(-1)
    with pytest.raises(SettingError, match="capacity_tokens is 0 or more, or None for no limit, not -2"):
        VisualMemory(1, -2)
    with pytest.raises(SettingError, match="limit_tokens is 0 or more, not -1"):
        VisualMemory().tokens_within(-1)


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
        memory.append(3 * index, raw.view(dtype))
    path = tmp_path_factory.mktemp("memory") / "stream.safetensors"
    memory.save(path)
    loaded = VisualMemory.load(path)
    assert repr(loaded) == repr(memory)
    assert listing(loaded) == listing(memory)
    assert loaded.num_tokens == memory.num_tokens
    for ours, theirs in zip(memory.clips(), loaded.clips(), strict=True):
        assert theirs.tokens.dtype == dtype
        assert torch.equal(ours.tokens.view(torch.uint8), theirs.tokens.view(torch.uint8))
    assert [entry.name for entry in path.parent.iterdir()] == ["stream.safetensors"]


def test_a_loaded_memory_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    unbroken, saved = VisualMemory(3, 10), VisualMemory(3, 10)
    for index in range(8):
        unbroken.append(index, tokens_of(index, 1 + index % 4))
        saved.append(index, tokens_of(index, 1 + index % 4))
        saved.save(tmp_path / "m")
        saved = VisualMemory.load(str(tmp_path / "m"))
        assert torch.equal(saved.tokens(), unbroken.tokens())


def filled() -> VisualMemory:
    memory = VisualMemory()
    memory.append(0, tokens_of(0, 2))
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
    metadata = {"format": "keepsight-visual-memory", "memory": '{"version": 2}'}
    save_file({}, tmp_path / "new", metadata=metadata)
    with pytest.raises(JournalTooNewError, match="version 2, this one reads up to 1"):
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
