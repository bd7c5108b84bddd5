"""Recordings that grow after a quota removed what their stream would be resumed from: no clip is counted twice."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.journal import Journal, Quota, apply_quota
from tests.test_growing_sources import everything, record, watch


def grow(folder: Path, num_removed_bytes: int | None, pinned: int | None = None) -> tuple[list[Moment], list[str]]:
    """Watch a part of a recording, apply a quota (None for the least there is), and watch the whole of it."""
    whole = record(folder / "whole.ts")
    watch(folder / "whole.db", whole)
    growing = folder / "growing.ts"
    growing.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    watch(folder / "parts.db", growing)
    with Journal.open(folder / "parts.db") as journal:
        (stream,) = journal.streams.all()
        if pinned is not None:
            journal.clips.pin(stream.id, pinned)
        size = 1 if num_removed_bytes is None else journal.storage.num_bytes() - num_removed_bytes
        apply_quota(journal, Quota(max_bytes=size), datetime.now(UTC))
    growing.write_bytes(whole.read_bytes())
    return watch(folder / "parts.db", growing)


@pytest.mark.parametrize("pinned", [None, 0])
def test_without_its_last_clips_it_is_watched_again_and_said(tmp_path: Path, pinned: int | None) -> None:
    moments, notes = grow(tmp_path, None, pinned)
    with Journal.open(tmp_path / "parts.db") as journal:
        old, new = journal.streams.all()
        assert len(list(journal.clips.of(old.id))) == (pinned is not None)
        assert journal.streams.position(new.id).next_clip_index == len(moments)
        journal.streams.remove(old.id)
    assert notes == [
        f"{tmp_path}/growing.ts has grown since stream {old.id} was watched, whose last clips a quota removed: "
        "watching it as a new stream"
    ]
    assert [moment.clip_index for moment in moments] == list(range(len(moments)))
    parts, whole = everything(tmp_path / "parts.db"), everything(tmp_path / "whole.db")
    assert parts == whole


def test_without_its_memory_it_is_resumed_and_said(tmp_path: Path) -> None:
    """Clips, tokens and spans are those of the whole; what the memory was is not known any more."""
    moments, notes = grow(tmp_path, 1)
    assert moments[0].clip_index > 0
    start = f"00:{moments[0].span.start_seconds:02.0f}"
    assert notes == [
        f"{tmp_path}/growing.ts has grown since it was watched: resuming at {start}, without the visual memory that a "
        "quota removed"
    ]
    assert counted(tmp_path / "parts.db") == counted(tmp_path / "whole.db")


def counted(path: Path) -> list[tuple[object, ...]]:
    """What a journal of one stream counts, and the span and tokens of each clip."""
    columns = "clip_index, start_seconds, end_seconds, num_visual_tokens, num_tokens_before"
    with closing(sqlite3.connect(path)) as connection:
        stream = connection.execute("SELECT next_clip_index, num_tokens_seen, end_seconds, end_reason FROM streams")
        return [*stream, *connection.execute(f"SELECT {columns} FROM clips ORDER BY clip_index")]
