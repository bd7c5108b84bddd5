"""A journal that vanishes while it is open: noticed before anything is called stored."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.errors import JournalMovedError
from keepsight.journal import Journal
from tests.journal.clip_records import make_clip
from tests.journal.database_checks import assert_sound


def rename_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replace_by_another_journal(path: Path) -> None:
    other = path.with_name("other.db")
    with Journal.create(other) as journal:
        journal.streams.begin("another", "tiny", "{}")
    other.replace(path)


def replace_by_copy(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    copy.replace(path)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (Path.unlink, "was removed while it was open"),
        (lambda path: path.rename(path.with_name("renamed.db")), "renamed.db while it was open"),
        (rename_folder, "elsewhere/journal.db while it was open"),
        (replace_by_another_journal, "was replaced"),
        (replace_by_copy, "was replaced"),
        (lambda path: path.with_name(f"{path.name}-wal").unlink(), "-wal, which holds the journal's newest entries"),
    ],
    ids=["removed", "renamed", "folder renamed", "another", "copy of itself", "log removed"],
)
def test_nothing_is_stored_once_it_is_gone(tmp_path: Path, harm: Callable[[Path], object], words: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0))
        harm(path)
        for write in (lambda: journal.clips.add(make_clip(stream.id, 1)), journal.streams.all):
            with pytest.raises(JournalMovedError) as caught:
                write()
            assert words in str(caught.value)
            assert "\n" not in str(caught.value)
        assert journal.trouble() == str(caught.value)


def test_a_journal_that_goes_in_the_middle_of_a_transaction_has_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")

        def store() -> None:
            with journal.transaction():
                journal.clips.add(make_clip(stream.id, 0))
                path.rename(tmp_path / "renamed.db")

        with pytest.raises(JournalMovedError):
            store()
        with pytest.raises(JournalMovedError):
            journal.clips.count(stream.id)
        (tmp_path / "renamed.db").rename(path)  # put back
        assert journal.clips.count(stream.id) == 0
        journal.clips.add(make_clip(stream.id, 0))
        assert journal.clips.count(stream.id) == 1


def test_what_was_stored_before_its_log_was_removed_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(5):
            journal.clips.add(make_clip(stream.id, index))
        (tmp_path / "journal.db-wal").unlink()
        with pytest.raises(JournalMovedError):
            journal.clips.add(make_clip(stream.id, 5))
    with Journal.open(path) as journal:
        assert [clip.clip_index for clip in journal.clips.captions(stream.id)] == list(range(5))
    assert_sound(path)


def test_a_link_may_lead_to_a_journal(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "link.db", tmp_path / "real" / "journal.db"
    link.symlink_to(real)
    with Journal.create(link) as journal:  # there is none yet
        stream = journal.streams.begin("s", "tiny", "{}")
        assert real.is_file()
        assert (tmp_path / "real" / "journal.db-wal").exists()
        with Journal.create(tmp_path / "second.db"):
            link.unlink()
            link.symlink_to(tmp_path / "second.db")
            with pytest.raises(JournalMovedError, match="was replaced"):
                journal.clips.add(make_clip(stream.id, 0))
    with Journal.open(real) as journal:
        assert journal.streams.latest() == stream


def test_a_log_that_was_cut_off_loses_its_end_alone(tmp_path: Path) -> None:
    """SQLite's own rule: frames up to the last whole commit count (SQLite, "WAL-mode File Format", section 4)."""
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(5):
            journal.clips.add(make_clip(stream.id, index))
        log = (tmp_path / "journal.db-wal").read_bytes()
        shutil.copyfile(path, copy)
        (tmp_path / "copy.db-wal").write_bytes(log[:-100])
    with Journal.open(copy) as journal:
        assert [clip.clip_index for clip in journal.clips.captions(stream.id)] == list(range(4))
    assert_sound(copy)


def test_a_closed_journal_is_one_file_that_any_sqlite_reads(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal, Journal.open(path) as second, Journal.open(path, read_only=True) as third:
        journal.streams.begin("s", "tiny", "{}")
        second.streams.begin("t", "tiny", "{}")
        assert len(third.streams.all()) == 2
        third.close()
    assert [child.name for child in tmp_path.iterdir()] == ["journal.db"]
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM streams").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert path.read_bytes()[18:20] == b"\x01\x01"  # SQLite file format, offset 18: no WAL
