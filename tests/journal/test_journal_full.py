"""A disk that is full, by a real one: nothing stored is lost, the error says what it is, and room is all it takes."""

import collections
import resource
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from keepsight.errors import DiskFullError, JournalWriteError
from keepsight.journal import Journal, Quota, apply_quota
from tests.child_process import importing_tests
from tests.journal.clip_records import assert_same_clip, make_clip
from tests.journal.database_checks import assert_sound
from tests.patience import PROCESS_SECONDS

# Clips with their memory are stored until the disk is full, then `make_room` is called, then it goes on.
FILL = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from tests.journal.clip_records import assert_same_clip, make_clip
    from keepsight.errors import DiskFullError, JournalWriteError
    from keepsight.journal import Journal

    def store(journal, stream, index):
        with journal.transaction():
            journal.clips.add(make_clip(stream.id, index))
            journal.memory.put(stream.id, index, bytes(20_000), held_clips=range(index - 3, index + 1))

    def fill(journal, stream, index):
        while True:
            try:
                store(journal, stream, index)
            except JournalWriteError as error:
                return index, error
            index += 1

    def check(journal, stream, count):
        assert [clip.clip_index for clip in journal.clips.of(stream.id)] == list(range(count))
        for clip in journal.clips.of(stream.id):
            assert_same_clip(clip, make_clip(stream.id, clip.clip_index))
        assert journal.memory.held(stream.id) == list(range(max(0, count - 4), count))
        assert len(journal.clips.search("caption")) == min(20, count)
    """
)

ON_TMPFS = FILL + textwrap.dedent(
    """
    import os, subprocess
    folder = Path(sys.argv[1]) / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(folder)], check=True)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(500_000))
    with Journal.create(folder / "journal.db") as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        count, error = fill(journal, stream, 0)
        assert count > 3, count
        assert isinstance(error, DiskFullError), error
        assert "the disk is full" in str(error) and "\\n" not in str(error), error
        for _ in range(3):  # it stays so
            same, error = fill(journal, stream, count)
            assert same == count and isinstance(error, DiskFullError), error
        check(journal, stream, count)
        ballast.unlink()
        store(journal, stream, count)  # through the same connection
        more, error = fill(journal, stream, count + 1)
        assert more > count + 1 and isinstance(error, DiskFullError)
        check(journal, stream, more)
    with Journal.create(folder / "journal.db") as journal:
        check(journal, stream, more)
    try:
        Journal.create(folder / "another.db").close()
    except DiskFullError:
        print("another is refused")
    """
)

WITH_SMALL_FILES = FILL + textwrap.dedent(
    """
    import resource
    path = Path(sys.argv[1]) / "journal.db"
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        count, error = fill(journal, stream, 0)
        assert count > 3, count
        check(journal, stream, count)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store(journal, stream, count)
        check(journal, stream, count + 1)
    print(type(error).__name__)
    """
)


def run(script: str, folder: Path, *prefix: str) -> str:
    command = [*prefix, sys.executable, "-c", script, str(folder)]
    environment = importing_tests()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def can_mount() -> bool:
    """Whether a file system may be mounted in a name space of one's own."""
    if shutil.which("unshare") is None or not sys.platform.startswith("linux"):
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="mounting a small disk is not allowed here")
def test_a_full_disk_stops_writing_and_nothing_else(tmp_path: Path) -> None:
    assert run(ON_TMPFS, tmp_path, "unshare", "-rm") == "another is refused\n"


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs limits on files")
def test_a_file_that_may_not_grow_stops_writing_and_nothing_else(tmp_path: Path) -> None:
    """SQLite reports this as an error of the disk, which is no want of room that anyone could make."""
    assert run(WITH_SMALL_FILES, tmp_path) == "JournalWriteError\n"
    assert_sound(tmp_path / "journal.db")


def test_a_journal_at_its_largest_size_says_that_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path, max_bytes=300_000) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        clips = [make_clip(stream.id, index, caption="a dog " * 200) for index in range(200)]
        with pytest.raises(DiskFullError, match="has reached its size limit") as caught:
            collections.deque(map(journal.clips.add, clips), maxlen=0)
        assert "\n" not in str(caught.value)
        stored = [clip.clip_index for clip in journal.clips.captions(stream.id)]
        assert stored == list(range(len(stored)))
        # Room is made by removing, through the same connection, and is used again.
        removed = apply_quota(journal, Quota(max_bytes=journal.storage.num_bytes() // 2), stream.started_at)
        assert len(removed.clips) > 10
        for index in range(len(stored), len(stored) + 10):
            journal.clips.add(make_clip(stream.id, index, caption="a dog " * 200))
            last = journal.clips.last(stream.id)
            assert last is not None
            assert_same_clip(last, make_clip(stream.id, index, caption="a dog " * 200))
    assert path.stat().st_size <= 300_000
    assert_sound(path)


def test_other_causes_are_not_want_of_room(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
    with Journal.open(path, read_only=True) as journal, pytest.raises(JournalWriteError) as caught:
        journal.clips.add(make_clip(stream.id, 0))
    assert not isinstance(caught.value, DiskFullError)
    assert issubclass(DiskFullError, JournalWriteError)
