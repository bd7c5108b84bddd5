"""Which files are journals, what happens to those that are not, and what the disk may refuse."""

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from keepsight.errors import (
    JournalNotFoundError,
    JournalTooNewError,
    JournalWriteError,
    NotAJournalError,
    SettingError,
)
from keepsight.journal import Journal
from keepsight.journal.schema import APPLICATION_ID, Migration, migrate, read_version, shipped_migrations
from tests.journal.clip_records import make_clip


def write_foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()


def write_text(path: Path) -> None:
    path.write_text("not a journal at all, but long enough to be looked at. " * 20)


@pytest.mark.parametrize("write", [write_foreign_database, write_text], ids=["another SQLite file", "a text"])
@pytest.mark.parametrize("enter", [Journal.open, Journal.create], ids=["open", "create"])
def test_a_foreign_file_is_refused_and_left_alone(
    tmp_path: Path, write: Callable[[Path], None], enter: Callable[[Path], Journal]
) -> None:
    path = tmp_path / "file.db"
    write(path)
    before = path.read_bytes()
    with pytest.raises(NotAJournalError, match=r"file\.db is not a Keepsight journal"):
        enter(path)
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["file.db"]


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(JournalNotFoundError, match=r"no journal at .*missing\.db"):
        Journal.open(tmp_path / "missing.db")
    with pytest.raises(JournalNotFoundError):
        Journal.open(tmp_path / "missing.db", read_only=True)
    with pytest.raises(NotAJournalError, match="is a folder"):
        Journal.open(tmp_path)
    with pytest.raises(JournalWriteError, match="no such folder"):
        Journal.create(tmp_path / "missing" / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_can_become_a_journal_but_is_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    with pytest.raises(NotAJournalError):
        Journal.open(path)
    with Journal.create(path) as journal:
        assert journal.streams.all() == []


def test_names_with_special_characters(tmp_path: Path) -> None:
    path = tmp_path / "kitchen?mode=ro&x#1 %41.db"
    with Journal.create(path) as journal:
        journal.streams.begin("s", "tiny", "{}")
    assert path.is_file()
    with Journal.open(path, read_only=True) as journal:
        assert len(journal.streams.all()) == 1


def test_a_journal_from_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.create(path).close()
    future = len(shipped_migrations()) + 1
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {future}")
    connection.close()
    for enter in (Journal.open, Journal.create):
        with pytest.raises(JournalTooNewError, match=f"version {future}"):
            enter(path)


def test_a_damaged_journal_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(50):
            journal.clips.add(make_clip(stream.id, index))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(bytes(content))
    with pytest.raises(NotAJournalError, match="damaged"), Journal.open(path) as journal:
        journal.clips.captions(stream.id)


def test_a_read_only_journal_reads_and_refuses_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
    before = path.read_bytes()
    with Journal.open(path, read_only=True) as journal:
        assert journal.is_read_only
        assert journal.streams.latest() == stream
        with pytest.raises(JournalWriteError, match="read-only"):
            journal.clips.add(make_clip(stream.id, 0))
    assert path.read_bytes() == before


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path, max_bytes=300_000) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")

        def fill() -> Iterator[int]:
            for index in count():
                with journal.transaction():
                    journal.clips.add(make_clip(stream.id, index))
                    journal.memory.put(stream.id, index, bytes(20_000), held_clips=range(index + 1))
                yield index

        added: list[int] = []
        with pytest.raises(JournalWriteError, match="full"):
            added.extend(fill())
        num_added = len(added)
        assert num_added > 3
        assert journal.clips.count(stream.id) == num_added  # still readable, half a transaction is not there
        assert journal.memory.held(stream.id) == list(range(num_added))
    assert path.stat().st_size <= 300_000
    with Journal.create(path) as journal:  # and it goes on when there is room again
        journal.clips.add(make_clip(stream.id, num_added))


@pytest.mark.parametrize("max_bytes", [0, -1])
def test_a_quota_is_positive(tmp_path: Path, max_bytes: int) -> None:
    with pytest.raises(SettingError, match=f"max_bytes must be at least 1, got {max_bytes}"):
        Journal.create(tmp_path / "journal.db", max_bytes=max_bytes)


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_the_shipped_migrations_are_numbered_without_holes() -> None:
    migrations = shipped_migrations()
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))
    assert migrations[0].name == "initial"


def test_an_older_journal_is_brought_up_to_date_with_its_content(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    connection = connect(path)
    migrate(connection, shipped_migrations()[:1])
    assert read_version(connection) == 1
    connection.execute(
        "INSERT INTO streams (id, source, model, settings, started_at) VALUES ('a', 's', 'm', '{}', 't')"
    )
    extra = Migration(
        2,
        "notes",
        "CREATE TABLE notes (text TEXT);  -- a comment; with a semicolon\n"
        "CREATE TRIGGER noted AFTER INSERT ON streams BEGIN\n  INSERT INTO notes VALUES (new.id);\nEND;\n"
        "UPDATE streams SET model = 'renamed'",
    )
    migrate(connection, [shipped_migrations()[0], extra])
    migrate(connection, [shipped_migrations()[0], extra])  # nothing left to do
    assert read_version(connection) == 2
    assert connection.execute("SELECT id, model FROM streams").fetchall() == [("a", "renamed")]
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'noted'").fetchall() == [("noted",)]
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    connection = connect(tmp_path / "journal.db")
    migrate(connection, shipped_migrations()[:1])
    broken = Migration(2, "broken", "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, [shipped_migrations()[0], broken])
    assert read_version(connection) == 1
    assert not connection.in_transaction
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
    connection.close()
