"""Copies of journals: whole whatever goes on meanwhile, and known where they are not."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.cli.app import run
from keepsight.errors import JournalWriteError, NotAJournalError
from keepsight.journal import EndReason, Journal, copy_journal, missing_note
from tests.child_process import importing_tests
from tests.journal.clip_records import assert_same_clip, make_clip
from tests.journal.database_checks import assert_sound
from tests.journal.lock_holder import write_lock_held


def fill(journal: Journal, num_clips: int = 5) -> str:
    stream = journal.streams.begin("/videos/kitchen.mp4", "tiny", "{}")
    for index in range(num_clips):
        journal.clips.add(make_clip(stream.id, index))
    return stream.id


def test_a_copy_of_a_journal_in_use_is_whole(tmp_path: Path) -> None:
    path, target = tmp_path / "journal.db", tmp_path / "copy.db"
    os.umask(os.umask(0o022))
    with Journal.create(path) as journal:
        stream_id = fill(journal)
        shutil.copyfile(path, tmp_path / "alone.db")  # as `cp` does: the newest entries are in the log
        copied = copy_journal(path, target)
        journal.clips.add(make_clip(stream_id, 5))
        assert (copied.num_streams, copied.num_clips, copied.was_in_use) == (1, 5, False)
    assert_sound(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with Journal.open(target) as journal:
        for index, clip in enumerate(journal.clips.of(stream_id)):
            assert_same_clip(clip, make_clip(stream_id, index))
        assert journal.clips.count(stream_id) == 5
        assert not journal.was_in_use
    assert sorted(child.name for child in tmp_path.iterdir()) == ["alone.db", "copy.db", "journal.db"]


WRITER = """
import sys
from tests.journal.clip_records import make_clip
from keepsight.journal import Journal
with Journal.create(sys.argv[1]) as journal:
    stream = journal.streams.begin("s", "tiny", "{}")
    for index in range(100_000):
        journal.clips.add(make_clip(stream.id, index))
        print(index, flush=True)
"""


def test_copies_made_while_another_process_writes_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=importing_tests()
    ) as process:
        assert process.stdout is not None
        for number in range(5):
            announced = int(process.stdout.readline())
            copied = copy_journal(path, tmp_path / f"{number}.db")
            assert copied.num_clips > announced
            assert_sound(tmp_path / f"{number}.db")
        process.kill()
    with write_lock_held(path):
        assert copy_journal(path, tmp_path / "locked.db").num_clips >= copied.num_clips


def test_what_is_there_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    path, target = tmp_path / "journal.db", tmp_path / "copy.db"
    with Journal.create(path) as journal:
        fill(journal)
    target.write_bytes(b"precious")
    with pytest.raises(JournalWriteError, match=r"already exists.*--force"):
        copy_journal(path, target)
    assert target.read_bytes() == b"precious"
    assert copy_journal(path, target, overwrite=True).num_clips == 5
    for wrong, words in (
        (path, "the journal itself"),
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "c.db", "no such folder"),
    ):
        with pytest.raises(JournalWriteError, match=words):
            copy_journal(path, wrong, overwrite=True)
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "linked.db")
    assert copy_journal(path, link).num_clips == copy_journal(path, link, overwrite=True).num_clips == 5
    assert link.is_symlink()
    assert (tmp_path / "linked.db").is_file()
    (tmp_path / "copy.db-wal").write_bytes(b"of another file")
    with pytest.raises(JournalWriteError, match=r"copy\.db-wal exists"):
        copy_journal(path, target, overwrite=True)
    with pytest.raises(NotAJournalError):
        copy_journal(tmp_path / "copy.db-wal", tmp_path / "other.db")
    assert not (tmp_path / "other.db").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_a_copy_of_a_damaged_journal_is_refused_and_none_is_left(tmp_path: Path) -> None:
    path, target = tmp_path / "journal.db", tmp_path / "copy.db"
    with Journal.create(path) as journal:
        fill(journal, 50)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xa5" * (len(content) - len(content) // 2)
    path.write_bytes(bytes(content))
    target.write_bytes(b"the last good copy")
    with pytest.raises((NotAJournalError, JournalWriteError)):
        copy_journal(path, target, overwrite=True)
    assert target.read_bytes() == b"the last good copy"
    assert not list(tmp_path.glob("*.partial"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = tmp_path / "journal.db", tmp_path / "copy.db"
    with Journal.create(path) as journal:
        fill(journal)
    assert run(["backup", str(path), str(target)]) == 0
    assert '"num_clips": 5' in capsys.readouterr().out
    assert run(["backup", str(path), str(target)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run(["backup", str(path), str(target), "--force", "--no-json"]) == 0
    assert "5 clips of 1 streams" in capsys.readouterr().out
    assert run(["backup", str(tmp_path / "none.db"), str(tmp_path / "x.db")]) == 2


def copy_alone(tmp_path: Path) -> tuple[Path, str]:
    """As `cp journal.db` while it is in use: what came since the last checkpoint is in the log alone."""
    path, alone = tmp_path / "journal.db", tmp_path / "alone.db"
    with Journal.create(path) as journal:
        stream_id = fill(journal, 3)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(FULL)")
        journal.clips.add(make_clip(stream_id, 3))
        shutil.copyfile(path, alone)
    return alone, stream_id


def test_a_copy_of_the_file_alone_is_told_until_it_is_watched_on(tmp_path: Path) -> None:
    alone, stream_id = copy_alone(tmp_path)
    for read_only in (True, False, True):
        with Journal.open(alone, read_only=read_only) as journal:
            stream = journal.streams.get(stream_id)
            assert journal.clips.count(stream_id) == 3
            assert "copied in use, without its -wal file" in missing_note(journal, stream)
            if not read_only:
                journal.clips.pin(stream_id, 0)  # writing alone makes nothing good
    with Journal.open(alone) as journal:
        journal.streams.resume(stream_id)
        journal.clips.add(make_clip(stream_id, 3))
    with Journal.open(alone) as journal:
        assert missing_note(journal, journal.streams.get(stream_id)) == ""


def test_ask_says_that_something_may_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fake_model import FakeModel

    monkeypatch.setattr("keepsight.cli.remembered.load_answering_or_say", lambda *_: FakeModel())
    alone, _ = copy_alone(tmp_path)
    assert run(["ask", str(alone), "where is the dog?"]) == 0
    said = capsys.readouterr()
    assert "may be missing" in said.err
    assert said.err.count("\n") == 1
    assert run(["ask", str(tmp_path / "journal.db"), "where is the dog?"]) == 0
    assert capsys.readouterr().err == ""


def test_a_copy_of_the_file_alone_is_a_journal_from_the_first_moment_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone.db"
    with Journal.create(tmp_path / "journal.db") as journal:
        fill(journal)
        shutil.copyfile(tmp_path / "journal.db", alone)
    assert run(["ask", str(alone), "where is the dog?"]) == 2
    said = capsys.readouterr().err
    assert "nothing has been captioned yet" in said
    assert "copied in use, without its -wal file" in said
    assert said.count("\n") == 1


def test_no_journal_that_is_whole_is_called_a_copy(tmp_path: Path) -> None:
    """Not one that is in use, nor one whose process was killed, nor one that was opened after that."""
    path = tmp_path / "journal.db"
    script = WRITER.replace("range(100_000)", "range(3)") + "    import os; os.kill(os.getpid(), 9)\n"
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=importing_tests()).returncode == -9
    assert (tmp_path / "journal.db-wal").exists()
    for read_only in (True, True, False, False, True):
        with Journal.open(path, read_only=read_only) as journal, Journal.open(path) as second:
            (stream,) = second.streams.all()
            assert (journal.was_in_use, second.was_in_use) == (False, False)
            assert missing_note(journal, stream) == missing_note(second, stream) == ""
            assert second.clips.count(stream.id) == 3


def test_clips_that_are_gone_before_the_end_are_told(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream_id = fill(journal)
        last = journal.clips.last(stream_id)
        assert last is not None
        stream = journal.streams.end(stream_id, EndReason.COMPLETE, last.span.end_seconds)
        assert missing_note(journal, stream) == ""
        journal._database.write("DELETE FROM clips WHERE clip_index >= 3")
        assert "are missing" in missing_note(journal, stream)
