"""One watcher per stream: a lock that the kernel releases when the process dies."""

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
    """Exclusive lock on watching a stream, held until released or until the process ends.

    Uses `flock` on a file next to the journal that holds the process id as text (Linux manual, flock(2)), so two
    watchers in one process also exclude each other. Processes started by `subprocess` do not inherit it; a process
    forked without `exec` would.

        with StreamLock.acquire(journal.path, stream.id):
            ...

    Args:
        path: the lock file.
        descriptor: descriptor of the locked file.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, journal_path: str | os.PathLike[str], stream_id: str, source: str | None = None) -> Self:
        """Take the lock without waiting.

        Args:
            journal_path: the journal.
            stream_id: the stream.
            source: name of the stream in errors; None for its id.

        Raises:
            StreamLockedError: another watcher holds it; the message has its process id.
            JournalWriteError: the file is not writable, or its file system has no locks.
        """
        path = lock_path(Path(journal_path), stream_id)
        try:
            while (descriptor := _try_to_lock(path)) is None:
                continue
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise StreamLockedError(f"{source or stream_id} is already being watched, by {_holder(path)}") from None
            raise JournalWriteError(f"cannot lock {path}: {error.strerror or error}") from error
        return cls(path, descriptor)

    def release(self) -> None:
        """Release the lock and remove the file. Idempotent."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            # While still locked, so that no other watcher's file is removed.
            self.path.unlink(missing_ok=True)
        except OSError:  # such as a folder that became read-only; an unlocked file does no harm
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
    """Lock file of a stream; the same for all symlinks to a journal."""
    journal = journal_path.resolve()
    return journal.with_name(f"{journal.name}.{quote(stream_id, safe='')}.lock")


def _try_to_lock(path: Path) -> int | None:
    """Descriptor of the locked file with the process id in it, or None if the file was just removed.

    The last holder may remove the file between opening and locking; a lock on an unlinked file excludes no one.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
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
    """Write the process id if there is room: on a full disk a stream must still be lockable, to remove it."""
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
    """The holding process in words; it writes its id shortly after locking."""
    for _ in range(_PID_TRIES):
        try:
            pid = path.read_bytes()[:_LONGEST_PID].strip()
        except OSError:
            break
        if pid.isdigit():
            return f"process {pid.decode()}"
        time.sleep(_PID_WAIT_SECONDS)
    return "another process"
