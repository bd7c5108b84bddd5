"""Quotas and still clips: the captioned clip of a still one stays, so a question about its time has an answer."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from keepsight.asking.answering import answer_question
from keepsight.errors import EmptyJournalError
from keepsight.journal import EndReason, Journal, Quota, StreamRecord, apply_quota
from tests.fake_model import FakeModel
from tests.journal.database_checks import assert_sound
from tests.test_still import QUICK, begin, frames_of, rows_of, watch

NOW = datetime.now(UTC)
DAY_SECONDS = 86_400.0
RUNS = [number % 6 for number in range(12) for _ in range(3)]
"""Twelve captioned clips, more than stay in any case, each with two still ones after it."""


def make_old(journal: Journal, where: str) -> None:
    """Let some clips be stored two days ago."""
    with closing(sqlite3.connect(journal.path)) as connection, connection:
        connection.execute(
            f"UPDATE clips SET stored_unix_seconds = ? WHERE {where}", (NOW.timestamp() - 2 * DAY_SECONDS,)
        )


def end(journal: Journal, stream: StreamRecord) -> None:
    journal.streams.end(stream.id, EndReason.COMPLETE, 2.0 * journal.streams.position(stream.id).next_clip_index)


def check_answers(journal: Journal, stream: StreamRecord) -> int:
    """Ask at the ends of the oldest and newest still clip: the time is in the evidence, after its caption.

    Returns how many there are; the captioned clip of each is there.
    """
    clips = {clip.clip_index: clip for clip in journal.clips.of(stream.id)}
    still = [clip for clip in clips.values() if clip.is_still]
    assert {clip.still_since for clip in still} <= {clip.clip_index for clip in clips.values() if not clip.is_still}
    for clip in still[:: len(still) - 1 or 1]:
        answer = answer_question(FakeModel(), journal, stream, "what?", ask_seconds=clip.span.end_seconds)
        caption, nothing_changed = answer.citations[-2:]
        assert (caption.clip_index, nothing_changed.caption) == (clip.still_since, "nothing changed")
        assert nothing_changed.span.start_seconds <= clip.span.start_seconds
        assert nothing_changed.span.end_seconds == clip.span.end_seconds
    return len(still)


@pytest.mark.parametrize("is_live", [False, True])
def test_an_age_quota_keeps_the_captioned_clips_of_still_ones(tmp_path: Path, is_live: bool) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal, is_live=is_live)
        watch(journal, stream, frames_of(RUNS))
        if not is_live:
            end(journal, stream)
        make_old(journal, "num_visual_tokens > 0 OR clip_index IN (1, 2, 4)")
        removed = apply_quota(journal, Quota(max_age_seconds=DAY_SECONDS), NOW)
        assert removed.clips == tuple((stream.id, index) for index in (1, 2, 4, 0))  # of the second, one is left
        assert check_answers(journal, stream) == 21
    assert_sound(tmp_path / "journal.db")


@pytest.mark.parametrize("is_live", [False, True])
def test_a_size_quota_removes_a_captioned_clip_after_its_still_ones(tmp_path: Path, is_live: bool) -> None:
    numbers_left = set()
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal, is_live=is_live)
        watch(journal, stream, frames_of(RUNS))
        if not is_live:
            end(journal, stream)
        journal.storage.empty_idle_memory()
        journal.storage.empty_thumbnails(journal.storage.oldest(99, with_thumbnail=True))
        for _ in range(15):
            apply_quota(journal, Quota(max_bytes=max(1, journal.storage.num_bytes() - 150)), NOW)
            numbers_left.add(check_answers(journal, stream))
        apply_quota(journal, Quota(max_bytes=1), NOW)
        left = [clip.clip_index for clip in journal.clips.captions(stream.id)]
        assert not any(clip.has_thumbnail for clip in journal.clips.of(stream.id) if clip.clip_index < 12)
    assert left == (sorted({*range(12, 36, 3), *range(28, 36)}) if is_live else [])
    assert len(numbers_left) > 3
    assert_sound(tmp_path / "journal.db")


scripts = st.lists(st.integers(0, 1), min_size=1, max_size=30)
quotas = st.builds(Quota, st.none() | st.integers(1, 6000), st.sampled_from([None, DAY_SECONDS]))


@runs(max_examples=10)
@given(scripts, st.sets(st.integers(0, 29), max_size=5), st.booleans(), quotas, st.integers(0, 30))
def test_whatever_goes_no_still_clip_is_left_alone(
    tmp_path_factory: pytest.TempPathFactory,
    script: list[int],
    pinned: set[int],
    is_over: bool,
    quota: Quota,
    num_old: int,
) -> None:
    with Journal.create(tmp_path_factory.mktemp("quota") / "journal.db") as journal:
        stream = begin(journal)
        watch(journal, stream, frames_of(script))
        if is_over:
            end(journal, stream)
        for index in pinned & set(range(len(script))):
            journal.clips.pin(stream.id, index)
        make_old(journal, f"clip_index < {num_old}")
        apply_quota(journal, quota, NOW)
        check_answers(journal, stream)
        assert set(journal.clips.pinned(stream.id)) == pinned & set(range(len(script)))


def test_a_pinned_still_clip_keeps_its_captioned_clip_without_its_picture(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        watch(journal, stream, frames_of([0, 1, 1, 1, 2, 2]))
        end(journal, stream)
        journal.clips.pin(stream.id, 3)
        apply_quota(journal, Quota(max_bytes=1), NOW)
        assert [(clip.clip_index, clip.has_thumbnail) for clip in journal.clips.of(stream.id)] == [
            (1, False),
            (3, True),
        ]
        assert check_answers(journal, stream) == 1


def test_a_resumed_stream_after_a_quota_is_as_without_interruption(tmp_path: Path) -> None:
    script = [*RUNS, *[RUNS[-1]] * 3]
    frames = frames_of([*script, *[script[-1]] * 2, 3, 3])
    settings = replace(QUICK, memory_clips=2)
    rows = {}
    for name in ("whole", "resumed"):
        with Journal.create(tmp_path / f"{name}.db") as journal:
            stream = begin(journal, settings, is_live=True)
            if name == "resumed":
                watch(journal, stream, frames[: 4 * len(script)], settings)
                make_old(journal, "num_visual_tokens > 0")
                quota = Quota(max_age_seconds=DAY_SECONDS, max_bytes=journal.storage.num_bytes() - 2000)
                assert apply_quota(journal, quota, NOW) != apply_quota(journal, quota, NOW)
            watch(journal, stream, frames, settings)
            assert check_answers(journal, stream)
            (run,) = [one for one in journal.clips.still_runs(stream.id) if one.still_since == 33]
            assert (run.last_index, run.span.end_seconds) == (40, 82.0)
        rows[name] = rows_of(tmp_path / f"{name}.db")
    for table in ("memory", "compared_pictures"):
        assert rows["resumed"][table] == rows["whole"][table]
    assert rows["resumed"]["clips"][-4:] == rows["whole"]["clips"][-4:]


def test_no_clip_is_compared_with_one_that_was_removed(tmp_path: Path) -> None:
    """A recording that grows after its last captioned clip was removed, but not the one before."""
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        watch(journal, stream, frames_of([0, 1]))
        end(journal, stream)
        journal.clips.pin(stream.id, 0)
        make_old(journal, "TRUE")
        apply_quota(journal, Quota(max_age_seconds=DAY_SECONDS), NOW)
        journal.streams.resume(stream.id)
        moments, _ = watch(journal, stream, frames_of([0, 1, 1, 1]))
        assert [(moment.clip_index, moment.is_still) for moment in moments] == [(1, False), (2, True), (3, True)]
        assert check_answers(journal, stream) == 2


def test_a_journal_that_a_quota_emptied_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    nothing_left = f"no clip is left in {path}: the quota removed all 5; set a higher quota to keep clips longer"
    with Journal.create(path) as journal:
        stream = begin(journal)
        watch(journal, stream, frames_of([0, 0, 1, 1, 2]))
        end(journal, stream)
        journal.clips.pin(stream.id, 4)
        apply_quota(journal, Quota(max_bytes=1), NOW)
        with pytest.raises(EmptyJournalError) as early:
            answer_question(FakeModel(), journal, stream, "what?", ask_seconds=4.0)
        assert str(early.value) == "no clip that ended by 00:04 is left: the quota removed the clips before 00:08"
        journal.clips.pin(stream.id, 4, pinned=False)
        apply_quota(journal, Quota(max_bytes=1), NOW)
        for ask_seconds in (None, 4.0):
            with pytest.raises(EmptyJournalError) as empty:
                answer_question(FakeModel(), journal, stream, "what?", ask_seconds=ask_seconds)
            assert str(empty.value) == nothing_left
