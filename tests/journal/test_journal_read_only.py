"""Journals on a disk that is read-only, by a real mount: they are read with all that is in them."""

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.errors import JournalWriteError
from keepsight.journal import Journal
from tests.child_process import importing_tests
from tests.journal.clip_records import make_clip
from tests.journal.version_1 import write_version_1
from tests.patience import PROCESS_SECONDS


def can_mount() -> bool:
    if shutil.which("unshare") is None or not sys.platform.startswith("linux"):
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt && mount -o remount,ro /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="mounting a read-only folder is not allowed here")

MOUNT = """
import subprocess, sys
folder = sys.argv[1]
subprocess.run(["mount", "-o", "bind", folder, folder], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
from pathlib import Path
folder = Path(folder)
from keepsight.errors import JournalError, JournalWriteError
from keepsight.journal import Journal, missing_note
"""
READ = """
path = folder / "journal.db"
for opened in (lambda: Journal.open(path, read_only=True), lambda: Journal.open_or_read(path)):
    with opened() as journal:
        stream = journal.streams.latest()
        print(journal.clips.count(stream.id), journal.is_read_only, missing_note(journal, stream)[:10])
        try:
            journal.clips.pin(stream.id, 0)
        except JournalWriteError as error:
            assert "read-only" in str(error), error
try:
    Journal.open(folder / "journal.db")
except JournalWriteError as error:
    print("read-only" in str(error))
"""


def on_read_only_disk(folder: Path, script: str) -> str:
    command = ["unshare", "-rm", sys.executable, "-c", MOUNT + textwrap.dedent(script), str(folder)]
    environment = importing_tests()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def copy_while_open(folder: Path, *endings: str) -> None:
    """What a disk may hold: a journal as its process left it, with those of its files."""
    source = folder.parent / "source.db"
    with Journal.create(source) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(4):
            journal.clips.add(make_clip(stream.id, index))
        for ending in endings:
            shutil.copyfile(f"{source}{ending}", folder / f"journal.db{ending}")
    if not endings:
        shutil.copyfile(source, folder / "journal.db")


@pytest.mark.parametrize("endings", [(), ("", "-wal"), ("", "-wal", "-shm")], ids=["closed", "with log", "with both"])
def test_all_clips_are_read(folder: Path, endings: tuple[str, ...]) -> None:
    copy_while_open(folder, *endings)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert on_read_only_disk(folder, READ) == "4 True \n4 True \nTrue\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_copy_without_its_log_says_so(folder: Path) -> None:
    source = folder.parent / "source.db"
    with Journal.create(source) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0))
        subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sqlite3; sqlite3.connect({str(source)!r}).execute('PRAGMA wal_checkpoint')",
            ],
            check=True,
        )
        journal.clips.add(make_clip(stream.id, 1))
        shutil.copyfile(source, folder / "journal.db")
    assert on_read_only_disk(folder, READ) == "1 True captions a\n1 True captions a\nTrue\n"


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_an_older_journal_is_read_from_an_updated_private_copy(folder: Path, mode: str) -> None:
    """As its process left it, and as one that was closed by a version which leaves a single file."""
    write_version_1(folder / "journal.db")
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
    assert on_read_only_disk(folder, READ) == "5 True \n5 True \nTrue\n"


def test_an_answer_is_given_though_it_cannot_be_stored(folder: Path) -> None:
    copy_while_open(folder, "", "-wal")
    script = """
    from tests.fake_model import FakeModel
    import keepsight.cli.asking
    from keepsight.cli.app import run
    keepsight.cli.remembered.load_answering_or_say = lambda *_: FakeModel()
    path = str(folder / "journal.db")
    assert run(["ask", path, "where is the dog?", "--json"]) == 0
    assert run(["ask", path, "where is the dog?", "--no-json"]) == 0
    assert run(["report", path, "-o", str(folder.parent / "report.html")]) == 0
    assert run(["backup", path, str(folder.parent / "copy.db")]) == 0
    assert run(["pin", path, "0"]) == 2
    """
    said = on_read_only_disk(folder, script)
    assert '"not_stored": "cannot write to the journal' in said
    assert "the answer is not stored: cannot write to the journal" in said
    assert "I was given 4 lines" in said
    with Journal.open(folder.parent / "copy.db") as journal:
        (stream,) = journal.streams.all()
        assert journal.clips.count(stream.id) == 4


def test_a_folder_that_cannot_be_written_to_is_named(folder: Path) -> None:
    copy_while_open(folder)
    script = """
    try:
        Journal.create(folder / "new.db")
    except JournalWriteError as error:
        print(error)
    """
    assert "read-only" in on_read_only_disk(folder, script)
    with pytest.raises(JournalWriteError, match="no such folder"):
        Journal.create(folder / "missing" / "new.db")
