"""A journal of version 1 is copied, then brought up to date with all it holds, whatever comes between."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from keepsight.errors import JournalWriteError
from keepsight.journal import Journal, StreamPosition
from keepsight.journal.backup import backup_path
from keepsight.journal.schema import migrate, shipped_migrations
from tests.journal.clip_records import assert_same_clip, make_clip
from tests.journal.database_checks import assert_sound
from tests.journal.version_1 import STARTED_AT, write_version_1
from tests.patience import PROCESS_SECONDS


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_version_1(tmp_path / "kitchen.db")
    return tmp_path / "kitchen.db"


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def assert_all_is_there(path: Path) -> None:
    with Journal.open(path) as journal:
        assert [stream.id for stream in journal.streams.all()] == ["a", "b"]
        for stream in journal.streams.all():
            assert (stream.is_live, stream.started_at) == (False, datetime.fromisoformat(STARTED_AT))
            clips = list(journal.clips.of(stream.id))
            assert [clip.clip_index for clip in clips] == [0, 1, 2, 3, 4]
            for clip in clips:
                assert_same_clip(clip, make_clip(stream.id, clip.clip_index))
                assert journal.memory.num_tokens_before(stream.id, clip.clip_index) == 16 * clip.clip_index
            assert journal.memory.of(stream.id) == [(index, bytes(100 + index)) for index in (2, 3, 4)]
            assert journal.streams.position(stream.id) == StreamPosition(5, 80, 3)
            assert journal.memory.num_tokens_before(stream.id) == 80
            assert len(journal.gaps.of(stream.id)) == len(journal.answers.of(stream.id)) == 1
            assert len(journal.clips.search("captions", stream_id=stream.id)) == 5
            assert journal.clips.pinned(stream.id) == []
        assert len(journal.clips.search("numbered 3")) == 2
        # Old clips are as old as they would be had they been watched live, so that none goes before its time.
        moment = datetime.fromisoformat(STARTED_AT).timestamp()
        assert len(journal.storage.stored_before(moment + 4 * 32.0, 100)) == 0  # the newest are kept in any case
    with closing(sqlite3.connect(path)) as connection:
        stored = connection.execute("SELECT stored_unix_seconds FROM clips WHERE stream_id = 'a'").fetchall()
    assert [seconds for (seconds,) in stored] == pytest.approx(
        [moment + 32.0 * (1 + index) for index in range(5)], abs=1e-3
    )
    assert_sound(path)


def test_a_journal_of_version_3_has_streams_on_one_wall_clock(tmp_path: Path) -> None:
    path = tmp_path / "camera.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, shipped_migrations()[:3])
        connection.execute(
            "INSERT INTO streams (id, source, model, settings, started_at, is_live) "
            "VALUES ('a', 'rtsp://camera', 'tiny', '{}', ?, 1)",
            (STARTED_AT,),
        )
    with Journal.open(path) as journal:
        stream = journal.streams.get("a")
        began = datetime.fromisoformat(STARTED_AT)
        assert (stream.wall_clocks, stream.wall_time(3600)) == ((), began + timedelta(hours=1))
        assert stream.seconds_at(began + timedelta(hours=1)) == 3600
    assert version_of(path) == len(shipped_migrations())
    assert version_of(backup_path(path, 3)) == 3


def test_all_that_version_1_had_is_there(old: Path) -> None:
    before = dump(old)
    Journal.open(old).close()
    assert_all_is_there(old)
    copy = backup_path(old, 1)
    assert copy.name == "kitchen.db.v1.bak"
    assert dump(copy) == before
    assert version_of(copy) == 1
    assert sorted(file.name for file in old.parent.iterdir()) == ["kitchen.db", "kitchen.db.v1.bak"]
    copy.replace(old)  # the way back
    Journal.create(old).close()
    assert_all_is_there(old)


def test_an_updated_journal_equals_a_new_one(old: Path, tmp_path: Path) -> None:
    Journal.open(old).close()
    Journal.create(tmp_path / "new.db").close()

    def schema(path: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    assert schema(old) == schema(tmp_path / "new.db")


def test_a_new_or_current_journal_is_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        Journal.create(tmp_path / "journal.db").close()
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]


def test_without_its_copy_a_journal_is_not_touched(old: Path) -> None:
    before = old.read_bytes()
    blocking = backup_path(old, 1)
    blocking.mkdir()
    with pytest.raises(
        JournalWriteError, match=r"cannot write .*kitchen\.db\.v1\.bak.*the journal is unchanged"
    ) as caught:
        Journal.open(old)
    assert "\n" not in str(caught.value)
    assert version_of(old) == 1
    assert old.read_bytes() == before
    assert sorted(file.name for file in old.parent.iterdir()) == ["kitchen.db", "kitchen.db.v1.bak"]
    blocking.rmdir()
    Journal.open(old).close()
    assert_all_is_there(old)


def test_reading_only_asks_for_an_update_and_does_none(old: Path) -> None:
    with pytest.raises(JournalWriteError, match="version 1; open it for writing once"):
        Journal.open(old, read_only=True)
    assert version_of(old) == 1
    assert not backup_path(old, 1).exists()


def test_too_little_room_for_the_update_leaves_version_1(old: Path) -> None:
    size = old.stat().st_size
    with pytest.raises(JournalWriteError, match="size limit"):
        Journal.create(old, max_bytes=size)
    assert version_of(old) == 1
    Journal.create(old).close()
    assert_all_is_there(old)


UPDATE = textwrap.dedent(
    """
    import os, signal, sys
    from keepsight.journal import Journal
    from keepsight.journal import backup, writer

    def die_after(*arguments):
        backup.back_up(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    if sys.argv[2] == "die":
        writer.back_up = die_after
    Journal.open(sys.argv[1]).close()
    """
)


def test_a_crash_between_copy_and_update_does_no_harm(old: Path) -> None:
    before = dump(old)
    done = subprocess.run([sys.executable, "-c", UPDATE, str(old), "die"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert version_of(old) == version_of(backup_path(old, 1)) == 1
    assert dump(old) == dump(backup_path(old, 1)) == before
    Journal.open(old).close()
    assert_all_is_there(old)
    assert dump(backup_path(old, 1)) == before


def test_processes_that_open_it_at_once_update_it_once(old: Path) -> None:
    before = dump(old)
    command = [sys.executable, "-c", UPDATE, str(old), "live"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=PROCESS_SECONDS)
        assert (process.returncode, errors) == (0, "")
    assert_all_is_there(old)
    assert dump(backup_path(old, 1)) == before
    assert version_of(old) == len(shipped_migrations())


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_the_copy_lies_beside_the_name_that_was_opened(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(old)
    Journal.open(link).close()
    assert version_of(tmp_path / "link.db.v1.bak") == 1
    assert_all_is_there(old)
