"""Opening a journal's file: for writing, for concurrent reading, and on read-only disks."""

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from keepsight.errors import JournalWriteError
from keepsight.journal.file_identity import FileSignature, file_signature, log_bytes, log_path
from keepsight.journal.schema import migrate, read_version, shipped_migrations
from keepsight.journal.sqlite_errors import primary_code
from keepsight.journal.stray_log import check_log

READ_PATIENCE_SECONDS = 30.0
"""Lock timeout of queries; they wait only for a change of journal mode, or on a journal not in WAL mode."""

_UNREADABLE_BESIDE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_COPY_TRIES = 3

Signature = tuple[FileSignature | None, ...]


def connect(path: Path, mode: str, timeout_seconds: float = READ_PATIENCE_SECONDS) -> sqlite3.Connection:
    """Autocommit connection that any thread may use.

    Args:
        path: the file.
        mode: mode of SQLite's URI: `ro`, `rw` or `rwc`; `ro&immutable=1` for a file that cannot change.
        timeout_seconds: lock timeout of a statement.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=timeout_seconds,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    return connection


def make_private(path: Path) -> None:
    """Create an empty file with owner-only permissions if it is missing.

    SQLite gives its side files the same permissions.
    """
    if not path.exists():
        with suppress(OSError):  # SQLite reports the problem
            os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def is_writable(path: Path) -> bool:
    """Whether a journal can be written."""
    try:
        check_writable(path)
    except JournalWriteError:
        return False
    return True


def check_writable(path: Path) -> None:
    """Check that the journal is writable before trying.

    Raises:
        JournalWriteError: the file or its folder is read-only.
    """
    if path.exists() and not os.access(path, os.W_OK):
        raise JournalWriteError(f"cannot write to the journal {path}: it is read-only")
    if not os.access(path.resolve().parent, os.W_OK) and not log_path(path).exists():
        raise JournalWriteError(f"cannot write to the journal {path}: its folder is read-only")


@dataclass(frozen=True)
class ReadingPlace:
    """Where and how a journal is read.

    Attributes:
        path: the opened file: the journal, or a private copy.
        mode: see `connect`.
        was_in_use: the journal is in WAL mode without a log, so its file was copied alone, in use.
        signature: sizes and times of journal and log, if it is read as immutable; else None.
        copy: folder of the private copy.
    """

    path: Path
    mode: str = "ro"
    was_in_use: bool = False
    signature: Signature | None = None
    copy: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def connect(self) -> sqlite3.Connection:
        """Open a read connection."""
        return connect(self.path, self.mode)

    def is_stale(self, journal: Path) -> bool:
        """Whether a journal read as immutable has changed, as when another user writes to it."""
        return self.signature is not None and self.signature != _signature(journal)

    def close(self) -> None:
        """Remove the private copy."""
        if self.copy is not None:
            self.copy.cleanup()


def find_reading_place(path: Path) -> ReadingPlace:
    """Find how to read a journal: in place if SQLite can, also during writes; else as found on a read-only disk.

    Without a log the file is complete and is opened as immutable; a log that SQLite cannot use there is copied with the
    journal into a private folder.

    Raises:
        sqlite3.Error: the file is unreadable.
        JournalLogError: another journal's log is next to it.
        JournalWriteError: no disk space for the copy.
    """
    check_log(path)
    signature, num_log_bytes = _signature(path), log_bytes(path)
    try:
        with closing(connect(path, "ro")) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        is_cut = mode == "wal" and num_log_bytes == 0 and _signature(path)[0] == signature[0]
        return ReadingPlace(path, was_in_use=is_cut)
    except sqlite3.OperationalError as error:
        if primary_code(error) not in _UNREADABLE_BESIDE:
            raise
    if num_log_bytes:
        return copied_place(path)
    place = ReadingPlace(path, "ro&immutable=1", was_in_use=True, signature=signature)
    with closing(place.connect()) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return place


def copied_place(path: Path) -> ReadingPlace:
    """Make a private, migrated copy including the log; it is removed when the place is closed.

    Raises:
        sqlite3.Error: it is damaged.
        JournalWriteError: copying failed.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="keepsight-journal-")
    except OSError as error:
        raise JournalWriteError(f"cannot copy the journal {path} to read it: {error.strerror}") from error
    with ExitStack() as on_failure:
        on_failure.callback(folder.cleanup)
        copy = Path(folder.name) / "journal.db"
        was_in_use = log_bytes(path) == 0
        _copy_with_log(path, copy)
        with closing(connect(copy, "rw")) as connection:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
                is_marked = read_version(connection) == len(shipped_migrations())  # older versions never left WAL mode
                was_in_use = was_in_use and mode == "wal" and is_marked
                migrate(connection, shipped_migrations())
        on_failure.pop_all()
    return ReadingPlace(copy, was_in_use=was_in_use, copy=folder)


def _copy_with_log(path: Path, copy: Path) -> None:
    """Copy journal and log as of one moment; retry if either changed meanwhile."""
    for _ in range(_COPY_TRIES):
        before = _signature(path)
        try:
            shutil.copyfile(path, copy)
            if log_bytes(path):
                shutil.copyfile(log_path(path), log_path(copy))
        except OSError as error:
            raise JournalWriteError(f"cannot copy the journal {path} to read it: {error.strerror}") from error
        if _signature(path) == before:
            return
    raise JournalWriteError(f"cannot copy the journal {path} to read it: it keeps changing; try again")


def _signature(path: Path) -> Signature:
    return tuple(file_signature(one) for one in (path, log_path(path)))


_MOST_IDLE = 4
"""Idle connections to keep; each has a page cache of up to 2 MB."""


class Readers:
    """Connection pool. Thread-safe.

    In WAL mode readers see the last commit, never wait for a writer, and never make one wait (SQLite, "Write-Ahead
    Logging", section 2.2).

    Args:
        connect: opens a connection that any thread may use.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._changed = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._num_taken = 0
        self._is_closed = False

    @contextmanager
    def taken(self) -> Iterator[sqlite3.Connection]:
        """Connection for one query.

        Raises:
            sqlite3.ProgrammingError: the pool is closed.
        """
        with self._changed:
            if self._is_closed:
                raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
            connection = self._idle.pop() if self._idle else None
            self._num_taken += 1
        try:
            connection = connection or self._connect()
            yield connection
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Wait for running queries and close all connections. Idempotent."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._num_taken == 0)
            while self._idle:
                self._idle.pop().close()

    def _give_back(self, connection: sqlite3.Connection | None) -> None:
        with self._changed:
            self._num_taken -= 1
            self._changed.notify_all()
            if connection is None:
                return
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
            else:
                connection.close()
