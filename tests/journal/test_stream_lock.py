"""One watcher a stream: refused while another has it, free as soon as that one is gone, however it went."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keepsight.errors import JournalError, JournalWriteError, StreamLockedError
from keepsight.journal import StreamLock
from keepsight.journal.stream_lock import lock_path

HOLD = textwrap.dedent(
    """
    import subprocess, sys, time
    from keepsight.journal.stream_lock import StreamLock

    with StreamLock.acquire(sys.argv[1], "s1"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])  # it does not hold the lock on
        print("locked", flush=True)
        sys.stdin.read()
    """
)


@contextmanager
def holder(journal: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the lock of stream `s1` until its input is closed."""
    command = [sys.executable, "-c", HOLD, str(journal)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_second_watcher_in_the_same_process_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "kitchen.db"
    with StreamLock.acquire(journal, "s1"):
        assert names(tmp_path) == ["kitchen.db.s1.lock"]
        with pytest.raises(StreamLockedError, match=f"s1 is already being watched, by process {os.getpid()}$"):
            StreamLock.acquire(journal, "s1")
        with StreamLock.acquire(journal, "s2"), StreamLock.acquire(tmp_path / "other.db", "s1"):
            assert len(names(tmp_path)) == 3
    assert names(tmp_path) == []
    with StreamLock.acquire(str(journal), "s1") as lock:
        lock.release()
        lock.release()
        assert names(tmp_path) == []
    assert issubclass(StreamLockedError, JournalError)


def test_another_process_is_named_and_its_death_sets_the_stream_free(tmp_path: Path) -> None:
    journal = tmp_path / "kitchen.db"
    with holder(journal) as process:
        with pytest.raises(StreamLockedError, match=f"process {process.pid}$"):
            StreamLock.acquire(journal, "s1")
        process.kill()
        process.wait()
        assert names(tmp_path) == ["kitchen.db.s1.lock"]  # left behind, and in nobody's way
        with StreamLock.acquire(journal, "s1"):
            assert lock_path(journal, "s1").read_text() == f"{os.getpid()}\n"
        assert names(tmp_path) == []


def test_a_clean_end_removes_the_file(tmp_path: Path) -> None:
    with holder(tmp_path / "kitchen.db") as process:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert names(tmp_path) == []
        with StreamLock.acquire(tmp_path / "kitchen.db", "s1"):
            assert len(names(tmp_path)) == 1


def test_links_lead_to_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "kitchen.db")
    with StreamLock.acquire(tmp_path / "kitchen.db", "s1"), pytest.raises(StreamLockedError):
        StreamLock.acquire(tmp_path / "link.db", "s1")


def test_a_name_never_leaves_the_journals_folder(tmp_path: Path) -> None:
    with StreamLock.acquire(tmp_path / "kitchen.db", "../../etc/x"):
        (name,) = names(tmp_path)
    assert "/" not in name


def test_what_cannot_be_locked_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalWriteError, match=r"cannot lock .*: No such file"):
        StreamLock.acquire(tmp_path / "missing" / "kitchen.db", "s1")
    lock_path(tmp_path / "kitchen.db", "s1").mkdir()
    with pytest.raises(JournalWriteError, match="cannot lock"):
        StreamLock.acquire(tmp_path / "kitchen.db", "s1")


@pytest.mark.parametrize(("number", "is_locked"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_a_full_disk_is_no_reason_not_to_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_locked: bool
) -> None:
    """Only the process id finds no room; without the lock no stream could be removed to make some."""

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", refuse)
    journal = tmp_path / "kitchen.db"
    if not is_locked:
        with pytest.raises(JournalWriteError, match="cannot lock"):
            StreamLock.acquire(journal, "s1")
        return
    with StreamLock.acquire(journal, "s1"), pytest.raises(StreamLockedError, match="by another process"):
        StreamLock.acquire(journal, "s1")


def test_of_many_that_come_and_go_one_at_a_time_has_it(tmp_path: Path) -> None:
    """The file is removed at each end and made at each beginning: two would hold it at once if removing raced."""
    inside, most, rounds = [0], [0], [0] * 4

    def come_and_go(number: int) -> None:
        while rounds[number] < 25:
            try:
                with StreamLock.acquire(tmp_path / "kitchen.db", "s1"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    os.sched_yield()
                    inside[0] -= 1
                rounds[number] += 1
            except StreamLockedError:
                continue

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(len(rounds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert names(tmp_path) == []
