"""Recordings that grow after a quota removed what their stream would be resumed from: no clip is counted twice."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watcher import Watcher
from keepsight.journal import EndReason, Journal, Quota, apply_quota
from keepsight.journal.database import Database
from tests.fake_model import FakeModel
from tests.test_growing_sources import QUICK, everything, record, watch


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


QUOTA_OF_ANOTHER = """
import sys
from datetime import UTC, datetime
from pathlib import Path

from keepsight.journal import Journal, Quota, apply_quota

with Journal.open(Path(sys.argv[1])) as journal:
    print(len(apply_quota(journal, Quota(max_bytes=1), datetime.now(UTC)).clips))
"""


@pytest.fixture
def quota_at_first_write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[int]]:
    """Has another process apply a quota just before the next transaction on a journal: the number of clips removed."""

    def arm(path: Path) -> list[int]:
        num_removed: list[int] = []
        transaction = Database.transaction

        def late(database: Database, *given: Any) -> AbstractContextManager[None]:
            if not num_removed:
                command = [sys.executable, "-c", QUOTA_OF_ANOTHER, str(path)]
                num_removed.append(int(subprocess.run(command, check=True, capture_output=True).stdout))
            return transaction(database, *given)

        monkeypatch.setattr(Database, "transaction", late)
        return num_removed

    return arm


@pytest.mark.parametrize("name", ["growing.ts", "renamed.ts"])
def test_a_quota_that_comes_between_finding_and_resuming_loses_no_count(
    tmp_path: Path, quota_at_first_write: Callable[[Path], list[int]], name: str
) -> None:
    """The clips are there when the stream is looked up, and gone when it would be resumed: it is watched as new."""
    whole = record(tmp_path / "whole.ts")
    growing, parts = tmp_path / "growing.ts", tmp_path / "parts.db"
    growing.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    first, _ = watch(parts, growing)
    growing.write_bytes(whole.read_bytes())
    growing.rename(tmp_path / name)
    whole.unlink()
    num_removed = quota_at_first_write(parts)
    moments, _ = watch(parts, tmp_path / name)
    assert num_removed == [len(first)]
    assert [moment.clip_index for moment in moments] == list(range(len(moments)))
    with Journal.open(parts) as journal:
        old, new = journal.streams.all()
        assert (old.end_reason, new.end_reason) == (EndReason.COMPLETE, EndReason.COMPLETE)
        assert journal.streams.position(old.id).next_clip_index == len(first)
        assert journal.streams.position(new.id).next_clip_index == len(moments) > len(first)


def test_a_stream_marked_complete_too_early_is_not_resumed_without_its_last_clips(
    tmp_path: Path, quota_at_first_write: Callable[[Path], list[int]]
) -> None:
    whole, path = record(tmp_path / "whole.ts"), tmp_path / "a.db"
    with Watcher(FakeModel(), path, QUICK) as watcher, closing(watcher.watch(whole)) as moments:
        first = [next(moments), next(moments)]
        assert watcher.stream is not None
        stream_id = watcher.stream.id
    with Journal.open(path) as journal:
        journal.streams.end(stream_id, EndReason.COMPLETE, first[-1].span.end_seconds)
    num_removed = quota_at_first_write(path)
    assert watch(path, whole) == ([], [])
    assert num_removed == [2]
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        assert (stream.end_reason, journal.streams.position(stream.id).next_clip_index) == (EndReason.COMPLETE, 2)


def counted(path: Path) -> list[tuple[object, ...]]:
    """What a journal of one stream counts, and the span and tokens of each clip."""
    columns = "clip_index, start_seconds, end_seconds, num_visual_tokens, num_tokens_before"
    with closing(sqlite3.connect(path)) as connection:
        stream = connection.execute("SELECT next_clip_index, num_tokens_seen, end_seconds, end_reason FROM streams")
        return [*stream, *connection.execute(f"SELECT {columns} FROM clips ORDER BY clip_index")]
