"""What is written comes back the same; reads are causal; text is searched safely."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.errors import JournalError, JournalWriteError, SettingError
from keepsight.journal import AnswerRecord, EndReason, GapRecord, Journal, contact_sheet, split_sheet
from keepsight.spans import Span
from tests.journal.clip_records import assert_same_clip, make_clip


def test_clips_come_back_as_written_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("/videos/kitchen.mp4", "tiny", "{}")
        for index in range(5):
            journal.clips.add(make_clip(stream.id, index))
    with Journal.open(path) as journal:
        clips = list(journal.clips.of(stream.id))
        assert [clip.clip_index for clip in clips] == [0, 1, 2, 3, 4]
        for clip in clips:
            assert_same_clip(clip, make_clip(stream.id, clip.clip_index))
        assert [clip.clip_index for clip in journal.clips.of(stream.id, from_index=3)] == [3, 4]
        last = journal.clips.last(stream.id)
        assert last is not None
        assert_same_clip(last, make_clip(stream.id, 4))


def test_one_clip_is_that_of_its_index_and_no_later_one(journal: Journal) -> None:
    """A quota leaves holes."""
    stream, other = (journal.streams.begin(name, "tiny", "{}") for name in ("s", "other"))
    for index in (0, 2):
        journal.clips.add(make_clip(stream.id, index))
    found = journal.clips.get(stream.id, 2)
    assert found is not None
    assert_same_clip(found, make_clip(stream.id, 2))
    assert journal.clips.get(stream.id, 1) is journal.clips.get(stream.id, 3) is journal.clips.get(other.id, 0) is None


def test_an_empty_embedding_and_no_kept_indices_survive(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    clip = make_clip(stream.id, 0, caption="", dim=0)
    journal.clips.add(clip)
    assert_same_clip(next(journal.clips.of(stream.id)), clip)
    assert len(journal.clips.captions(stream.id)) == 1
    assert journal.clips.ranked_by(stream.id).embeddings.shape == (1, 0)


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(0, 50), max_size=12),
    ask_halves=st.integers(0, 700),
)
def test_captions_are_those_that_had_ended(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], ask_halves: int
) -> None:
    ask_seconds = ask_halves / 2
    with Journal.create(tmp_path_factory.mktemp("causal") / "journal.db") as journal:
        stream, other = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
        journal.clips.add(make_clip(other.id, 0))
        expected, end = [], 0
        for index, length in enumerate(lengths):
            clip = make_clip(stream.id, index)
            span = Span(end, end := end + length)
            journal.clips.add(type(clip)(**{**vars(clip), "span": span}))
            if end <= ask_seconds:
                expected.append(index)
        captions = journal.clips.captions(stream.id, ended_by_seconds=ask_seconds)
        assert [caption.clip_index for caption in captions] == expected
        ranked = journal.clips.ranked_by(stream.id, ended_by_seconds=ask_seconds)
        assert ranked.clip_indices.tolist() == expected
        assert ranked.num_line_tokens.tolist() == [caption.num_line_tokens for caption in captions]
        every_other = [*expected[::2], len(lengths)]
        assert journal.clips.captions_at(stream.id, every_other[::-1]) == captions[::2]
        assert journal.clips.count(stream.id, ended_by_seconds=ask_seconds) == len(expected)
        for index, row in zip(expected, ranked.embeddings, strict=True):
            np.testing.assert_array_equal(row, make_clip(stream.id, index).embedding)


def test_a_clip_index_is_stored_once(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    journal.clips.add(make_clip(stream.id, 0))
    with pytest.raises(JournalWriteError, match="already"):
        journal.clips.add(make_clip(stream.id, 0, caption="another"))
    assert [caption.caption for caption in journal.clips.captions(stream.id)] == ["caption number 0"]


def test_a_clip_of_no_stream_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalWriteError, match="or its stream does not"):
        journal.clips.add(make_clip("nobody", 0))


def test_streams_begin_end_and_resume(journal: Journal) -> None:
    assert journal.streams.latest() is None
    first = journal.streams.begin("/a.mp4", "tiny", '{"seed": 1}')
    second = journal.streams.begin("/b.mp4", "tiny", "{}")
    assert first.id != second.id
    assert journal.streams.all() == [first, second]
    assert journal.streams.latest() == second
    assert journal.streams.of_source("/a.mp4") == [first]
    assert first.settings_json == '{"seed": 1}'
    assert (datetime.now(UTC) - first.started_at).total_seconds() < 60

    ended = journal.streams.end(first.id, EndReason.INTERRUPTED, 96.0, "stopped by the user")
    assert (ended.end_reason, ended.end_seconds, ended.end_detail) == ("interrupted", 96.0, "stopped by the user")
    assert not ended.is_finished
    assert journal.streams.resume(first.id) == first
    for reason in (EndReason.COMPLETE, EndReason.TRUNCATED):
        assert journal.streams.end(second.id, reason, 10.0).is_finished
    with pytest.raises(JournalError, match="no stream 'x'"):
        journal.streams.get("x")


def test_gaps_and_answers_come_back(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    gaps = [GapRecord(stream.id, Span(start, start + 2), "camera lost") for start in (40, 10)]
    answers = [
        AnswerRecord(stream.id, datetime.now(UTC), 64.0, f"where? {place}", "in the 'kitchen'", (0, 3), 2, 7)
        for place in range(2)
    ]
    for gap, answer in zip(gaps, answers, strict=True):
        journal.gaps.add(gap)
        journal.answers.add(answer)
    assert journal.gaps.of(stream.id) == gaps[::-1]
    assert journal.answers.of(stream.id) == answers


def test_counts_of_frames_come_back_with_clips_and_captions(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    counted = replace(make_clip(stream.id, 0), num_frames_expected=16, num_frames_dropped=3, media_start_seconds=4.5)
    for clip in (counted, make_clip(stream.id, 1)):
        journal.clips.add(clip)
    for stored, clip in zip(journal.clips.of(stream.id), (counted, make_clip(stream.id, 1)), strict=True):
        assert_same_clip(stored, clip)
    captions = journal.clips.captions(stream.id)
    assert [(caption.num_frames_expected, caption.num_frames_dropped) for caption in captions] == [(16, 3), (0, 0)]
    assert journal.clips.captions_at(stream.id, [0, 1]) == captions
    assert sorted(journal.clips.search("caption"), key=lambda caption: caption.clip_index) == captions


def test_a_live_stream_says_so_and_when_it_began(journal: Journal) -> None:
    began = datetime(2026, 3, 1, 11, 30, 15, 250_000, tzinfo=timezone(timedelta(hours=2)))
    live = journal.streams.begin("rtsp://camera", "tiny", "{}", is_live=True, started_at=began)
    file = journal.streams.begin("/a.mp4", "tiny", "{}")
    assert (live.is_live, live.started_at) == (True, began)
    assert live.started_at.utcoffset() == timedelta(0)
    assert not file.is_live
    assert journal.streams.all() == [live, file]
    with pytest.raises(SettingError, match="must have a time zone, got 2026-03-01T11:30:15"):
        journal.streams.begin("s", "tiny", "{}", started_at=datetime(2026, 3, 1, 11, 30, 15))
    with pytest.raises(JournalError, match="no stream 'x'"):
        journal.streams.position("x")


def test_a_gap_is_there_from_its_beginning_and_grows(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    gap_id = journal.gaps.begin(stream.id, 12.0, "no frame for 20 s").id
    other_id = journal.gaps.begin(stream.id, 5.0, "lost").id
    with Journal.open(journal.path, read_only=True) as reader:
        assert reader.gaps.of(stream.id) == [
            GapRecord(stream.id, Span(5.0, 5.0), "lost"),
            GapRecord(stream.id, Span(12.0, 12.0), "no frame for 20 s"),
        ]
    journal.gaps.extend(gap_id, 15.0)
    journal.gaps.extend(gap_id, 14.0)  # it never shrinks
    assert journal.gaps.of(stream.id)[1] == GapRecord(stream.id, Span(12.0, 15.0), "no frame for 20 s")
    journal.gaps.extend(gap_id, 20.0, "connection refused")
    journal.gaps.extend(other_id, 6.0)
    assert journal.gaps.of(stream.id)[1] == GapRecord(stream.id, Span(12.0, 20.0), "connection refused")
    with pytest.raises(JournalError, match="no gap 99"):
        journal.gaps.extend(99, 1.0)
    with pytest.raises(JournalWriteError, match="or its stream does not"):
        journal.gaps.begin("nobody", 1.0, "lost")
    with pytest.raises(SettingError):
        journal.gaps.begin(stream.id, -1.0, "lost")


spans = st.tuples(st.integers(0, 8), st.integers(0, 4)).map(lambda drawn: Span(drawn[0], drawn[0] + drawn[1]))


@settings(max_examples=40)
@given(gaps=st.lists(spans, max_size=6), asked=spans)
def test_overlapping_gaps_are_those_that_share_time(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[Span], asked: Span
) -> None:
    def moments(span: Span) -> set[float]:
        """Ends of a span are its own only where it is a single moment: sampled between whole seconds."""
        steps = range(2 * int(span.start_seconds) + 1, 2 * int(span.end_seconds))
        return {step / 2 for step in steps} or {span.start_seconds}

    def share(one: Span, other: Span) -> bool:
        for moment, span in ((one, other), (other, one)):
            if moment.duration_seconds == 0:
                return span.start_seconds <= moment.start_seconds <= span.end_seconds
        return bool(moments(one) & moments(other))

    with Journal.create(tmp_path_factory.mktemp("gaps") / "journal.db") as journal:
        stream, other = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
        records = [GapRecord(stream.id, gap, f"gap {number}") for number, gap in enumerate(gaps)]
        for record in records:
            journal.gaps.add(record)
            journal.gaps.add(replace(record, stream_id=other.id))
        expected = [record for record in records if share(record.span, asked)]
        expected.sort(key=lambda record: record.span.start_seconds)
        assert journal.gaps.overlapping(stream.id, asked.start_seconds, asked.end_seconds) == expected


def test_captions_are_read_without_their_pictures(journal: Journal) -> None:
    """All that captions are made of lies in a row before the first large value."""
    with sqlite3.connect(journal.path) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(clips)")]
    connection.close()
    first_blob = names.index("frame_seconds")
    for name in ("caption", "num_line_tokens", "num_frames_expected", "num_frames_dropped", "pinned"):
        assert names.index(name) < first_blob
    assert names[-1] == "thumbnail"


def test_memory_rows_follow_what_the_memory_holds(journal: Journal) -> None:
    stream, other = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
    journal.memory.put(other.id, 0, b"other", held_clips=[0])
    for index in range(5):
        held = list(range(max(0, index - 1), index + 1))
        journal.memory.put(stream.id, index, f"tokens {index}".encode(), held_clips=held)
    assert journal.memory.of(stream.id) == [(3, b"tokens 3"), (4, b"tokens 4")]
    journal.memory.put(stream.id, 5, b"not kept", held_clips=[])
    assert journal.memory.of(stream.id) == []
    assert journal.memory.of(other.id) == [(0, b"other")]


def test_search_finds_all_words_in_any_inflection(journal: Journal) -> None:
    stream, other = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
    texts = ["a dog arrives in the kitchen", "the dog sleeps", "a cat arrives", "die Straße liegt still"]
    for index, text in enumerate(texts):
        journal.clips.add(make_clip(stream.id, index, caption=text))
    journal.clips.add(make_clip(other.id, 0, caption="a dog elsewhere"))

    def found(text: str) -> set[str]:
        return {caption.caption for caption in journal.clips.search(text, stream_id=stream.id)}

    assert found("dog") == {texts[0], texts[1]}
    assert found("arrive DOG") == {texts[0]}
    assert found("straße") == {texts[3]}
    assert found("horse") == found("  ") == set()
    assert len(journal.clips.search("dog")) == 3
    assert len(journal.clips.search("dog", limit=1)) == 1


@given(st.text(max_size=30))
def test_no_text_breaks_the_search(shared_journal: Journal, text: str) -> None:
    assert all("dog" in caption.caption for caption in shared_journal.clips.search(text))


@pytest.fixture(scope="module")
def shared_journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal.create(tmp_path_factory.mktemp("search") / "journal.db") as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0, caption="a dog"))
        yield journal


def test_removed_clips_leave_the_search_index(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    journal.clips.add(make_clip(stream.id, 0, caption="a dog"))
    with sqlite3.connect(journal.path) as connection:
        connection.execute("DELETE FROM clips")
        connection.execute("INSERT INTO caption_index (caption_index) VALUES ('integrity-check')")
    connection.close()
    assert journal.clips.search("dog") == []


def test_a_contact_sheet_splits_into_its_frames() -> None:
    levels = [0, 90, 180, 255]
    frames = [np.full((90, 160, 3), level, np.uint8) for level in levels]
    tiles = split_sheet(contact_sheet(frames, width_pixels=64), len(frames))
    assert [tile.shape for tile in tiles] == [(36, 64, 3)] * 4
    for tile, level in zip(tiles, levels, strict=True):
        # JPEG mixes blocks of 8 pixels at the borders; the middle is the frame's own.
        assert np.abs(tile[:, 16:-16].astype(int) - level).max() <= 3


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_a_contact_sheet_of_odd_sizes_is_a_jpeg(size: tuple[int, int]) -> None:
    frames = [np.zeros((*size, 3), np.uint8)] * 600
    tiles = split_sheet(contact_sheet(frames), 600)
    assert len(tiles) == 600


def test_captions_from_an_index_on(journal: Journal) -> None:
    stream, other = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
    journal.clips.add(make_clip(other.id, 3))
    for index in (0, 1, 4, 6):  # a quota took the others
        journal.clips.add(make_clip(stream.id, index))

    def indices(from_index: int, limit: int) -> list[int]:
        return [caption.clip_index for caption in journal.clips.captions_from(stream.id, from_index, limit)]

    assert indices(0, 9) == [0, 1, 4, 6]
    assert indices(2, 1) == [4]
    assert indices(7, 9) == []
    assert journal.clips.captions_from(stream.id, 0, 9) == journal.clips.captions(stream.id)


def test_a_removed_stream_leaves_nothing_behind(journal: Journal) -> None:
    kept, removed = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
    for stream in (kept, removed):
        journal.clips.add(make_clip(stream.id, 0, caption="a dog waits"))
        journal.gaps.add(GapRecord(stream.id, Span(1, 2), "dark"))
        journal.answers.add(AnswerRecord(stream.id, datetime.now(UTC), 3.0, "Who?", "a dog", (0,), 1, 0))
    kept_bytes = journal.storage.num_bytes(kept.id)
    journal.streams.remove(removed.id)
    assert [stream.id for stream in journal.streams.all()] == [kept.id]
    assert journal.storage.num_bytes() == kept_bytes > 0
    assert [caption.stream_id for caption in journal.clips.search("dog")] == [kept.id]
    assert not journal.gaps.of(removed.id)
    assert not journal.answers.of(removed.id)
    assert not journal.clips.captions(removed.id)
    with pytest.raises(JournalError, match="no stream"):
        journal.streams.remove(removed.id)
