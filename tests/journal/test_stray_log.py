"""Logs that are not beside their journal: never played back into another one, and brought to a renamed one."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.cli.app import run
from keepsight.errors import JournalLogError, JournalMovedError, JournalNotFoundError
from keepsight.journal import Journal, copy_journal
from tests.child_process import importing_tests
from tests.journal.clip_records import make_clip
from tests.journal.database_checks import assert_sound
from tests.journal.version_1 import write_version_1
from tests.small_videos import MakeVideo

NUM_CLIPS = 5

WRITER = """
import os, sys
from pathlib import Path
from tests.journal.clip_records import make_clip
from keepsight.journal import Journal
with Journal.create(sys.argv[1]) as journal:
    stream = journal.streams.begin("old", "tiny", "{}")
    for index in range(5):
        journal.clips.add(make_clip(stream.id, index, caption="the old video"))
    if sys.argv[2] == "renamed":
        Path(sys.argv[1]).rename(Path(sys.argv[1]).with_name("w2.db"))
    if sys.argv[2] in ("killed", "renamed"):
        os.kill(os.getpid(), 9)
    os.unlink(sys.argv[1])
"""


def leave_log(path: Path, how: str) -> None:
    """A log at a path whose journal is gone: its process was killed, or it was removed while it was open."""
    command = [sys.executable, "-c", WRITER, str(path), how]
    assert subprocess.run(command, check=False, env=importing_tests()).returncode == (-9 if how == "killed" else 0)
    path.unlink(missing_ok=True)
    assert (path.parent / f"{path.name}-wal").stat().st_size > 0


def write_closed(path: Path, num_clips: int = 3) -> None:
    with Journal.create(path) as journal:
        stream = journal.streams.begin("new", "tiny", "{}")
        for index in range(num_clips):
            journal.clips.add(make_clip(stream.id, index))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["killed", "removed"])
def beside_another(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A journal that was closed in order, put where the log of another one lies."""
    folder = tmp_path / "folder"
    folder.mkdir()
    leave_log(folder / "w.db", request.param)
    write_closed(tmp_path / "other.db")
    shutil.copyfile(tmp_path / "other.db", folder / "w.db")
    return folder / "w.db"


DOORS: dict[str, Callable[[Path], object]] = {
    "open": Journal.open,
    "create": Journal.create,
    "read": lambda path: Journal.open(path, read_only=True),
    "open or read": Journal.open_or_read,
    "back up": lambda path: copy_journal(path, path.parent.parent / "copy.db"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_journal_beside_the_log_of_another_is_refused(beside_another: Path, door: str) -> None:
    before = content(beside_another.parent)
    with pytest.raises(
        JournalLogError, match=r"w\.db-wal belongs to .*, not to w\.db; remove it, or move it back"
    ) as caught:
        DOORS[door](beside_another)
    assert "\n" not in str(caught.value)
    assert content(beside_another.parent) == before
    (beside_another.parent / "w.db-wal").unlink()
    with Journal.open(beside_another) as journal:
        assert [stream.source for stream in journal.streams.all()] == ["new"]
    assert_sound(beside_another)


@pytest.mark.parametrize(
    "words",
    [
        ("ask", "w.db", "where is the dog?"),
        ("report", "w.db"),
        ("watch", "video.mp4", "--journal", "w.db"),
        ("pin", "w.db", "0"),
        ("backup", "w.db", "copy.db"),
        ("serve", "--journal", "w.db", "--port", "0"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_refuses_it(
    beside_another: Path,
    words: tuple[str, ...],
    make_video: MakeVideo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(beside_another.parent)
    shutil.copyfile(make_video(4), "video.mp4")
    before = content(beside_another.parent)
    assert run([*words]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "w.db-wal belongs to a journal that was moved, removed or replaced, not to w.db" in said
    assert content(beside_another.parent) == before


def test_an_older_journal_is_refused_before_it_is_updated(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    leave_log(path, "killed")
    write_version_1(tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    (tmp_path / "old.db").replace(path)
    before = content(tmp_path)
    with pytest.raises(JournalLogError):
        Journal.create(path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("is_there", [True, False])
def test_a_log_is_not_thrown_away_by_a_new_journal(tmp_path: Path, is_there: bool) -> None:
    path = tmp_path / "w.db"
    leave_log(path, "removed")
    if is_there:
        path.touch()
    before = content(tmp_path)
    with pytest.raises(JournalLogError):
        Journal.create(path)
    for read_only in (True, False):
        with pytest.raises(JournalLogError if is_there else JournalNotFoundError):
            Journal.open(path, read_only=read_only)
    assert content(tmp_path) == before


def test_its_own_log_is_played_back(tmp_path: Path) -> None:
    """Of a process that was killed; in a copy with both files; and while others have it open."""
    path = tmp_path / "w.db"
    command = [sys.executable, "-c", WRITER, str(path), "killed"]
    assert subprocess.run(command, check=False, env=importing_tests()).returncode == -9
    for name in ("copy.db", "read.db"):
        for ending in ("", "-wal"):
            shutil.copyfile(f"{path}{ending}", tmp_path / f"{name}{ending}")
    for name, read_only in (("w.db", False), ("copy.db", False), ("read.db", True)):
        with Journal.open(tmp_path / name, read_only=read_only) as journal:
            (stream,) = journal.streams.all()
            with Journal.open(tmp_path / name, read_only=True) as second:
                assert second.clips.count(stream.id) == journal.clips.count(stream.id) == NUM_CLIPS
        assert_sound(tmp_path / name)


def test_looking_for_another_log_keeps_the_locks_of_this_process(tmp_path: Path) -> None:
    """Closing any descriptor of a file would drop them, and another process would then remove the log in use."""
    path = tmp_path / "w.db"
    script = "import sys; from keepsight.journal import Journal; Journal.open(sys.argv[1]).close()"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0))
        Journal.open(path).close()
        Journal.open(path, read_only=True).close()
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
        journal.clips.add(make_clip(stream.id, 1))  # its log is there
        assert journal.clips.count(stream.id) == 2
    assert_sound(path)


def rename_while_written(path: Path, name: Path) -> None:
    """A journal is renamed while it is open; its process finds out, and closes it."""
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(NUM_CLIPS):
            journal.clips.add(make_clip(stream.id, index))
        path.rename(name)
        with pytest.raises(JournalMovedError, match=rf"renamed to .*{name.name} while it was open.*-wal, which holds"):
            journal.clips.add(make_clip(stream.id, NUM_CLIPS))


def assert_has_all(path: Path) -> None:
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        assert [clip.clip_index for clip in journal.clips.captions(stream.id)] == list(range(NUM_CLIPS))
        assert not journal.was_in_use
    assert_sound(path)


@pytest.mark.parametrize("name", ["w2.db", "elsewhere/w2.db"])
def test_a_renamed_journal_gets_its_newest_entries(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    path, renamed = tmp_path / "w.db", tmp_path / name
    rename_while_written(path, renamed)
    assert not (tmp_path / "w.db-wal").exists()
    assert not list(renamed.parent.glob("w2.db-*"))  # it is one file
    write_closed(path)  # a new one at the old path
    assert_has_all(renamed)
    assert_sound(path)


def test_what_the_message_says_brings_the_entries_by_hand(tmp_path: Path) -> None:
    path, renamed = tmp_path / "w.db", tmp_path / "w2.db"
    command = [sys.executable, "-c", WRITER, str(path), "renamed"]
    assert subprocess.run(command, check=False, env=importing_tests()).returncode == -9
    with pytest.raises(JournalLogError):  # and until then no new one throws them away
        Journal.create(path)
    (tmp_path / "w.db-wal").rename(tmp_path / "w2.db-wal")
    assert_has_all(renamed)


def test_two_journals_of_one_process_that_are_renamed(tmp_path: Path) -> None:
    path, renamed = tmp_path / "w.db", tmp_path / "w2.db"
    with Journal.create(path) as first, Journal.open(path) as second:
        stream = first.streams.begin("s", "tiny", "{}")
        for index in range(NUM_CLIPS):
            (first, second)[index % 2].clips.add(make_clip(stream.id, index))
        path.rename(renamed)
    assert [child.name for child in tmp_path.iterdir() if "-wal" in child.name] == []
    assert_has_all(renamed)


def test_a_journal_opened_by_its_new_name_meanwhile_is_not_mixed_with_its_log(tmp_path: Path) -> None:
    path, renamed = tmp_path / "w.db", tmp_path / "w2.db"
    script = """
import sys
from keepsight.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    journal.streams.begin("another", "tiny", "{}")
"""
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0))
        path.rename(renamed)
        subprocess.run([sys.executable, "-c", script, str(renamed)], check=True)
    assert (tmp_path / "w.db-wal").exists()
    with Journal.open(renamed) as journal:
        assert [stream.source for stream in journal.streams.all()] == ["another"]
    assert_sound(renamed)


def test_a_log_is_left_where_another_journal_has_the_path(tmp_path: Path) -> None:
    path, renamed = tmp_path / "w.db", tmp_path / "w2.db"
    write_closed(tmp_path / "other.db")
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(NUM_CLIPS):
            journal.clips.add(make_clip(stream.id, index))
        path.rename(renamed)
        shutil.copyfile(tmp_path / "other.db", path)
        with pytest.raises(
            JournalMovedError, match=r"was replaced.*w\.db-wal is the previous journal's log: move it to"
        ):
            journal.clips.count(stream.id)
    with pytest.raises(JournalLogError):
        Journal.open(path)
    (tmp_path / "w.db-wal").rename(tmp_path / "w2.db-wal")
    assert_has_all(renamed)
    assert_sound(path)


def test_the_message_of_a_removed_journal_says_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        path.unlink()
        with pytest.raises(
            JournalMovedError, match=r"its entries are lost except the newest, which are in .*w\.db-wal$"
        ):
            journal.clips.count(stream.id)
