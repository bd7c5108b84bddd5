"""The memory of a watched stream: durable under every policy, in its place in the stream, readable when it is old."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from keepsight.engine.session import StreamSession
from keepsight.engine.stream_pipeline import Moment, StreamPipeline
from keepsight.errors import JournalError
from keepsight.journal import Journal, Quota, StreamRecord, apply_quota
from keepsight.journal.memory_snapshot import MemoryTable
from keepsight.method.memory import POLICIES, VisualMemory
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.method.recurrence import Recurrence, encode_clip, offsets_within
from keepsight.models.prompting.positions import PieceShape, prompt_positions
from keepsight.settings import MEMORY_POSITION_RULES, SELECTOR_NAMES, Settings
from keepsight.spans import Span
from keepsight.video import Clip, Frame
from tests.fake_model import FakeModel

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32, seed=2)
NUM_FRAMES = 38  # nine clips of 16 tokens, four of them kept, and half a clip


@dataclass
class PlacedModel(FakeModel):
    """A fake model whose captions depend on where the memory stands, too."""

    offsets: list[list[int] | None] = field(default_factory=list)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        offsets = clip.memory_offsets
        self.offsets.append(None if offsets is None else offsets.tolist())
        placed = clip.memory if offsets is None else clip.memory + offsets[:, None]
        return super().describe(replace(clip, memory=placed), request)


def frame(number: int) -> Frame:
    return Frame(np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8), number / 2)


def watch(
    journal: Journal, stream: StreamRecord, settings: Settings, stop: int = NUM_FRAMES, window: int = 4096
) -> tuple[list[Moment], PlacedModel]:
    """Frames of a stream from where it stands up to one that is not pushed; the last clip only at the very end."""
    model = PlacedModel(window=window)
    session = StreamSession(model, journal, stream, settings)
    first = round(session.resume_seconds * 2)
    moments = [session.push(frame(number)) for number in range(first, stop)]
    if stop == NUM_FRAMES:
        moments.append(session.flush())
    return [moment for moment in moments if moment is not None], model


def begin(journal: Journal, settings: Settings) -> StreamRecord:
    return journal.streams.begin("camera", "fake", settings.to_json())


def rows_of(journal: Journal, stream: StreamRecord) -> dict[int, dict[str, Tensor]]:
    return {clip_index: load(row) for clip_index, row in journal.memory.of(stream.id)}


@pytest.mark.parametrize(
    ("limits", "of_whole_clips", "of_tokens"),
    [({}, 10, 12), ({"memory_tokens": 7}, 6, 7), ({"memory_clips": 0}, 0, 0)],
    ids=["clips", "tokens", "none"],
)
@pytest.mark.parametrize("positions", MEMORY_POSITION_RULES)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_stream_that_was_cut_off_ends_like_one_that_was_not(
    tmp_path: Path, policy: str, positions: str, limits: dict[str, Any], of_whole_clips: int, of_tokens: int
) -> None:
    settings = replace(QUICK, memory_policy=policy, memory_positions=positions, **limits)
    with Journal.create(tmp_path / "whole.db") as journal:
        stream = begin(journal, settings)
        whole, _ = watch(journal, stream, settings)
        expected = journal.memory.of(stream.id)
        assert len(whole) == 10
        num_held = sum(len(row["tokens"]) for row in rows_of(journal, stream).values())
        assert num_held == (of_whole_clips if policy == "fifo" else of_tokens)  # the last clip has two tokens
    with Journal.create(tmp_path / "parts.db") as journal:
        stream, seen = begin(journal, settings), []
        for stop in (4, 10, 17, 24, 31, 36, NUM_FRAMES):  # each time a new session over a fresh model, as after a crash
            seen += watch(journal, stream, settings, stop)[0]
        assert [moment.caption for moment in seen] == [moment.caption for moment in whole]
        assert [m.kept_indices.tolist() for m in seen] == [m.kept_indices.tolist() for m in whole]
        assert journal.memory.of(stream.id) == expected


@pytest.mark.parametrize("positions", MEMORY_POSITION_RULES)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_stream_whose_oldest_clips_were_removed_goes_on_as_if_they_were_there(
    tmp_path: Path, policy: str, positions: str
) -> None:
    """The quota takes all it may after each part: what is left must be enough to end like the stream that kept all."""
    settings = replace(QUICK, memory_policy=policy, memory_positions=positions)
    stops = (20, 50, 61, 80, 99)
    with Journal.create(tmp_path / "whole.db") as journal:
        stream = begin(journal, settings)
        whole, _ = watch(journal, stream, settings, stops[-1])
        expected, at_end = journal.memory.of(stream.id), journal.streams.position(stream.id)
    with Journal.create(tmp_path / "parts.db") as journal:
        stream, seen = begin(journal, settings), []
        for stop in stops:
            before = StreamPipeline.restore(journal, stream, settings).recurrence
            apply_quota(journal, Quota(max_bytes=1), datetime.now(UTC))
            after = StreamPipeline.restore(journal, stream, settings).recurrence
            assert after.num_tokens_seen == before.num_tokens_seen
            assert after.memory.num_tokens == before.memory.num_tokens
            seen += watch(journal, stream, settings, stop)[0]
        assert journal.clips.count(stream.id) < len(whole) == 24
        assert [moment.caption for moment in seen] == [moment.caption for moment in whole]
        assert [m.kept_indices.tolist() for m in seen] == [m.kept_indices.tolist() for m in whole]
        assert journal.memory.of(stream.id) == expected
        assert journal.streams.position(stream.id) == at_end


@pytest.mark.parametrize(
    ("dtype", "expected"), [("bfloat16", torch.bfloat16), ("float32", None), ("int9", None), (None, None)]
)
def test_restored_tokens_have_the_number_format_of_the_model(
    journal: Journal, dtype: str | None, expected: torch.dtype | None
) -> None:
    stream = begin(journal, QUICK)
    watch(journal, stream, QUICK)
    stored = StreamPipeline.restore(journal, stream, QUICK).recurrence.memory.clips()
    restored = StreamPipeline.restore(journal, stream, QUICK, dtype=dtype).recurrence.memory.clips()
    for clip, before in zip(restored, stored, strict=True):
        assert before.tokens.dtype == torch.float32
        assert clip.tokens.dtype == (expected or torch.float32)
        torch.testing.assert_close(clip.tokens.float(), before.tokens, rtol=2**-8, atol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_stored_tokens_that_are_not_finite_are_refused(journal: Journal, value: float) -> None:
    """As earlier versions stored them of a model whose numbers overflowed."""
    stream = begin(journal, QUICK)
    watch(journal, stream, QUICK)
    held = [clip_index for clip_index, _ in journal.memory.of(stream.id)]
    row = rows_of(journal, stream)[held[1]]
    row["tokens"][0, 0] = value
    journal.memory.put(stream.id, held[1], save(row), held_clips=held)
    with pytest.raises(JournalError) as refused:
        StreamSession(PlacedModel(), journal, stream, QUICK)
    assert str(refused.value) == (
        f"the stored tokens of clip {held[1]} must be finite, got NaN or infinity; "
        "watch the source into another journal"
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_the_journal_holds_what_the_memory_holds(journal: Journal, policy: str) -> None:
    settings = replace(QUICK, memory_policy=policy)
    stream = begin(journal, settings)
    state = StreamPipeline.restore(journal, stream, settings)
    model = PlacedModel()
    for index in range(7):
        frames = tuple(frame(4 * index + number) for number in range(4))
        clip = Clip(index, frames, Span(2.0 * index, 2.0 * index + 2))
        work = state.recurrence.prepare(model, encode_clip(model, clip))
        state.store(model, work, state.recurrence.describe(model, work), b"")
        restored = StreamPipeline.restore(journal, stream, settings)
        held = state.recurrence.memory.clips()
        assert restored.recurrence.num_tokens_seen == state.recurrence.num_tokens_seen == 16 * (index + 1)
        for ours, theirs in zip(held, restored.recurrence.memory.clips(), strict=True):
            assert ours.clip_index == theirs.clip_index
            for name in ("tokens", "positions", "scores"):
                assert torch.equal(getattr(ours, name), getattr(theirs, name)), name


@pytest.mark.parametrize("selector", SELECTOR_NAMES)
def test_positions_and_scores_are_those_of_the_clips_own_tokens(journal: Journal, selector: str) -> None:
    settings = replace(QUICK, selector=selector, memory_clips=16)
    stream = begin(journal, settings)
    watch(journal, stream, settings)
    rows = rows_of(journal, stream)
    assert len(rows) == 10
    for clip in journal.clips.of(stream.id):
        row = rows[clip.clip_index]
        assert row["positions"].tolist() == [16 * clip.clip_index + index for index in clip.kept_indices]
        np.testing.assert_array_equal(row["scores"].numpy(), clip.scores[clip.kept_indices])
        assert row["positions"].dtype == torch.int64


class Writes(MemoryTable):
    """Notes which clips are written."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal._database)
        self.clips: list[int] = []

    def put(self, stream_id: str, clip_index: int, *others: Any, **named: Any) -> None:
        self.clips.append(clip_index)
        super().put(stream_id, clip_index, *others, **named)


def test_fifo_writes_the_newest_clip_alone_and_merging_what_it_changed(journal: Journal) -> None:
    journal.memory = writes = Writes(journal)
    watch(journal, begin(journal, QUICK), QUICK)
    assert writes.clips == list(range(10))
    writes.clips.clear()
    merging = replace(QUICK, memory_policy="merge")
    watch(journal, begin(journal, merging), merging)
    assert writes.clips[:3] == [0, 1, 2]  # there is room for three clips
    assert len(writes.clips) > 10


def test_what_is_written_of_a_clip_is_there_with_its_caption_or_not_at_all(journal: Journal) -> None:
    """A policy rewrites older clips; when the write of the newest one fails, they are as they were."""
    settings = replace(QUICK, memory_policy="merge")
    stream = begin(journal, settings)
    watch(journal, stream, settings, stop=20)
    before = journal.memory.of(stream.id)

    class Breaking(MemoryTable):
        def keep_only(self, stream_id: str, held_clips: object) -> None:
            raise KeyboardInterrupt

    table, journal.memory = journal.memory, Breaking(journal._database)
    with pytest.raises(KeyboardInterrupt):
        watch(journal, stream, settings, stop=24)
    journal.memory = table
    assert journal.memory.of(stream.id) == before
    assert journal.clips.count(stream.id) == 5


def without_places(row: Mapping[str, Tensor]) -> bytes:
    """A row as journals had it before positions and scores were kept."""
    return save({"tokens": row["tokens"]})


@pytest.mark.parametrize("limits", [{}, {"memory_tokens": 3}], ids=["clips", "tokens"])
@pytest.mark.parametrize("positions", MEMORY_POSITION_RULES)
def test_a_journal_from_before_positions_were_kept_goes_on(
    tmp_path: Path, limits: dict[str, Any], positions: str
) -> None:
    settings = replace(QUICK, memory_positions=positions, **limits)
    with Journal.create(tmp_path / "whole.db") as journal:
        whole, _ = watch(journal, begin(journal, settings), settings)
        (stream,) = journal.streams.all()
        expected = journal.memory.of(stream.id)
    with Journal.create(tmp_path / "old.db") as journal:
        stream = begin(journal, settings)
        seen, _ = watch(journal, stream, settings, stop=21)
        restored = StreamPipeline.restore(journal, stream, settings).recurrence.memory.clips()
        for clip_index, row in rows_of(journal, stream).items():
            held = journal.memory.held(stream.id)
            journal.memory.put(stream.id, clip_index, without_places(row), held_clips=held)
        from_old_rows = StreamPipeline.restore(journal, stream, settings).recurrence.memory.clips()
        for ours, old in zip(restored, from_old_rows, strict=True):
            assert torch.equal(ours.positions, old.positions)
            assert torch.equal(ours.scores, old.scores)
        seen += watch(journal, stream, settings)[0]
        assert [moment.caption for moment in seen] == [moment.caption for moment in whole]
        assert journal.memory.of(stream.id) == expected


@pytest.mark.parametrize("policy", POLICIES)
def test_original_positions_count_back_to_where_each_token_stood(journal: Journal, policy: str) -> None:
    settings = replace(QUICK, memory_policy=policy, memory_positions="original")
    stream = begin(journal, settings)
    for stop in range(4, 37, 4):
        rows = rows_of(journal, stream)
        positions = [position for row in rows.values() for position in row["positions"].tolist()]
        _, model = watch(journal, stream, settings, stop)
        assert model.offsets == [[stop // 4 * 16 - 16 - position for position in positions]]


def test_contiguous_positions_give_the_model_no_offsets(journal: Journal) -> None:
    _, model = watch(journal, begin(journal, QUICK), QUICK)
    assert model.offsets == [None] * 10


def test_no_remembered_token_stands_outside_the_window(journal: Journal) -> None:
    """20 tokens of memory fit; the oldest of the 12 held stands up to 48 back. Those too far are drawn in."""
    free = PlacedModel().max_memory_tokens(16, DescribeRequest(QUICK.describe_prompt, max_new_tokens=32))
    window = 4096 - free + 20
    settings = replace(QUICK, memory_positions="original", caption_partial_clip=False)
    stream = begin(journal, settings)
    _, model = watch(journal, stream, settings, window=window)
    assert model.memory_lengths == [0, 4, 8, 12, 12, 12, 12, 12, 12]
    clips = list(journal.clips.of(stream.id))
    for index, offsets in enumerate(model.offsets):
        held = clips[max(0, index - 3) : index]
        true = [16 * (index - clip.clip_index) - kept for clip in held for kept in clip.kept_indices.tolist()]
        assert offsets is not None
        assert offsets == [min(offset, 20 - place) for place, offset in enumerate(true)]
        assert all(offset == far for offset, far in zip(offsets, true, strict=True) if far <= 20 - len(true))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40, unique=True), st.integers(0, 200))
def test_offsets_drawn_in_stay_apart_and_in_order(offsets: list[int], room: int) -> None:
    true = torch.tensor(sorted(offsets, reverse=True))
    limit = len(offsets) + room
    drawn = offsets_within(true, limit)
    assert bool((drawn <= limit).all())
    assert bool((drawn >= 1).all())
    assert bool((drawn.diff() < 0).all())
    assert bool((drawn <= true).all())
    if int(true[0]) <= limit:
        assert torch.equal(drawn, true)
    pieces = [PieceShape("text", 5), PieceShape("memory", len(drawn)), PieceShape("frames", 7)]
    positions = prompt_positions(pieces, drawn, None, torch.device("cpu"))
    assert positions is not None
    assert int(positions[0, -1]) <= 5 + limit + 7 - 1  # within what a contiguous prompt of that many would take


def test_a_memory_without_the_count_of_tokens_goes_on_after_its_last_one() -> None:
    memory = VisualMemory()
    memory.append(0, torch.zeros(2, 12), torch.tensor([4, 9]), torch.zeros(2))
    assert Recurrence(QUICK, memory).num_tokens_seen == 10
    assert Recurrence(QUICK, memory, num_tokens_seen=16).num_tokens_seen == 16
    assert Recurrence(QUICK).num_tokens_seen == 0
