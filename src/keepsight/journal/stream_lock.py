"""One watcher a stream: a lock that the kernel takes back when the watcher's process dies."""

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from keepsight.errors import JournalWriteError, StreamLockedError

_LONGEST_PID = 32
_PID_TRIES, _PID_WAIT_SECONDS = 20, 0.005


class StreamLock:
    """The right to watch a stream, held until it is released or the process ends, however it ends.

    It is `flock` on a file beside the journal that holds the process id as text (Linux manual, flock(2)): two watchers
    in one process exclude each other, too. Processes started by `subprocess` do not hold it on; a process forked
    without `exec` would, until it ends as well.

        with StreamLock.acquire(journal.path, stream.id):
            ...

    Args:
        path: the file.
        descriptor: open and locked.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, journal_path: str | os.PathLike[str], stream_id: str, source: str | None = None) -> Self:
        """Take the lock, without waiting for it.

        Args:
            journal_path: of the journal.
            stream_id: of the stream.
            source: what the error calls the stream; its id if None.

        Raises:
            StreamLockedError: another watcher has it; the message says its process id.
            JournalWriteError: the file cannot be written, or its file system has no locks.
        """
        path = lock_path(Path(journal_path), stream_id)
        try:
            while (descriptor := _try_to_lock(path)) is None:
                continue
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise StreamLockedError(f"{source or stream_id} is being watched already, by {_holder(path)}") from None
            raise JournalWriteError(f"cannot lock {path}: {error.strerror or error}") from error
        return cls(path, descriptor)

    def release(self) -> None:
        """Give the lock back and remove the file. A second call does nothing."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            # While it is still locked, so that the file removed is this one and not another watcher's.
            self.path.unlink(missing_ok=True)
        except OSError:  # such as a folder that has become read-only: a file without a lock does no harm
            pass
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def lock_path(journal_path: Path, stream_id: str) -> Path:
    """The file that a stream's lock is on; the same for all names of a journal that links give it."""
    journal = journal_path.resolve()
    return journal.with_name(f"{journal.name}.{quote(stream_id, safe='')}.lock")


def _try_to_lock(path: Path) -> int | None:
    """Descriptor of the locked file with our process id in it, or None if the file was removed just then.

    Between opening and locking, its last holder may remove it; a lock on a file without a name would exclude nobody.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(descriptor, path):
            os.ftruncate(descriptor, 0)
            _write_process_id(descriptor)
            return descriptor
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _write_process_id(descriptor: int) -> None:
    """Say who has the lock, where there is room: on a full disk a stream must still be locked, to be removed."""
    try:
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """The process that has the lock, in words; it writes its id a moment after it locks the file."""
    for _ in range(_PID_TRIES):
        try:
            pid = path.read_bytes()[:_LONGEST_PID].strip()
        except OSError:
            break
        if pid.isdigit():
            return f"process {pid.decode()}"
        time.sleep(_PID_WAIT_SECONDS)
    return "another process"
