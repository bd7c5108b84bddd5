"""Whether the journal's path still leads to the open files.

Closing any descriptor of a file drops all locks that the process holds on it (POSIX, `fcntl`), SQLite's included. A
journal that may be open is therefore read through an existing descriptor.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from keepsight.errors import JournalMovedError

FileId = tuple[int, int]
"""Device and inode: identifies a file independent of its name (POSIX, `sys/stat.h`)."""

_DESCRIPTORS = Path("/dev/fd")


def file_at(path: Path) -> FileId | None:
    """File at a path; None if there is none."""
    try:
        return _id_of(path.stat())
    except OSError:
        return None


def read_start(path: Path, num_bytes: int) -> bytes:
    """First bytes of a file, without dropping locks on it; fewer if it is shorter.

    Raises:
        OSError: it is missing or cannot be read.
    """
    file = _id_of(path.stat())
    for descriptor in _descriptors_of(file):
        with suppress(OSError):  # closed meanwhile
            start = os.pread(descriptor, num_bytes, 0)
            if _id_of(os.fstat(descriptor)) == file:
                return start
    with path.open("rb") as opened:
        return opened.read(num_bytes)


@dataclass(frozen=True)
class Whereabouts:
    """Where a file that this process has open is now.

    Attributes:
        name: current name; None if unknown.
        is_removed: it has no name any more, and is deleted when closed.
    """

    name: Path | None = None
    is_removed: bool = False


def find_open_file(file: FileId, former: Path) -> Whereabouts:
    """Find an open file that has left its path.

    Args:
        file: open in this process.
        former: its former path. The new name is looked up among all files (Linux), else in that folder.
    """
    for descriptor in _descriptors_of(file):
        with suppress(OSError):
            if os.fstat(descriptor).st_nlink == 0:
                return Whereabouts(is_removed=True)
            name = (_DESCRIPTORS / str(descriptor)).readlink()
            if file_at(name) == file:
                return Whereabouts(name)
    with suppress(OSError):
        for name in former.resolve().parent.iterdir():
            if file_at(name) == file and not name.is_symlink():
                return Whereabouts(name)
    return Whereabouts()


def _descriptors_of(file: FileId) -> Iterator[int]:
    try:
        listed = [int(entry.name) for entry in _DESCRIPTORS.iterdir()]
    except OSError:
        return
    for descriptor in listed:
        with suppress(OSError):  # such as the descriptor of the listing itself
            if _id_of(os.fstat(descriptor)) == file:
                yield descriptor


def _id_of(found: os.stat_result) -> FileId:
    return found.st_dev, found.st_ino


FileSignature = tuple[int, int, int]
"""Inode, size and modification time in nanoseconds: changes when a file is written."""


class FileIdentity:
    """Journal and write-ahead log as they were when opened.

    A removed or renamed file stays open, and SQLite goes on writing to it without an error.

    Args:
        path: the journal; symlinks are followed.

    Raises:
        JournalMovedError: the file no longer exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = log_path(path)
        self.log: FileId | None = None
        file = file_at(path)
        if file is None:
            raise JournalMovedError(f"the journal {path} was removed or renamed while opening it")
        self.file = file

    def remember_log(self) -> None:
        """Take the log next to the journal as the open one. Later calls do nothing."""
        if self.log is None:
            self.log = file_at(self._log_path)

    def check(self) -> None:
        """Check that journal and log are still in place.

        Raises:
            JournalMovedError: the journal, or the log with its newest entries, was moved or removed.
        """
        file = file_at(self._path)
        if file != self.file:
            raise JournalMovedError(self._what_became(is_replaced=file is not None))
        if self.log is not None and file_at(self._log_path) != self.log:
            raise JournalMovedError(
                f"{self._log_path}, which holds the journal's newest entries, was removed or replaced while "
                "open: nothing more is stored"
            )

    def _what_became(self, *, is_replaced: bool) -> str:
        """One line on where the journal and its newest entries are, as far as known."""
        has_log = self.log is not None and file_at(self._log_path) == self.log
        found = find_open_file(self.file, self._path)
        if is_replaced:
            said = f"the journal {self._path} was replaced while it was open: nothing more is stored"
            if not has_log:
                return said
            place = f"move it to {log_path(found.name)}" if found.name else "move it next to that journal"
            todo = "remove it" if found.is_removed else place
            return f"{said}; {self._log_path} is the previous journal's log: {todo} before opening {self._path}"
        if found.is_removed:
            said = f"the journal {self._path} was removed while it was open: nothing more is stored"
            if not has_log:
                return f"{said}, and its entries are lost"
            return f"{said}, and its entries are lost except the newest, which are in {self._log_path}"
        if found.name is None:
            said = f"the journal {self._path} was removed or renamed while it was open: nothing more is stored"
            return f"{said}; put it back, or start a new one"
        said = f"the journal {self._path} was renamed to {found.name} while it was open: nothing more is stored; "
        if not has_log:
            return f"{said}put it back, or use it there"
        return (
            f"{said}put it back, or use it there; if {self._log_path}, which holds the newest entries, still exists, "
            f"first rename that to {log_path(found.name).name}"
        )

    def log_was_removed(self) -> bool:
        """Whether the journal is in place and only its write-ahead log is gone."""
        return self.log is not None and file_at(self._path) == self.file and file_at(self._log_path) is None


def log_path(path: Path) -> Path:
    """Path of a journal's write-ahead log (SQLite, "Write-Ahead Logging", section 2)."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def log_bytes(path: Path) -> int:
    """Size of a journal's write-ahead log; 0 if there is none."""
    try:
        return log_path(path).stat().st_size
    except OSError:
        return 0


def file_signature(path: Path) -> FileSignature | None:
    """Signature of a file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
