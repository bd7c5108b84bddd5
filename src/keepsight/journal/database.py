"""One SQLite connection to a journal file: opened with checks, written in durable transactions, errors in our words."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from keepsight.errors import (
    DiskFullError,
    JournalError,
    JournalNotFoundError,
    JournalTooNewError,
    JournalWriteError,
    NotAJournalError,
)
from keepsight.journal.backup import back_up
from keepsight.journal.schema import (
    APPLICATION_ID,
    is_blank,
    migrate,
    read_application_id,
    read_version,
    shipped_migrations,
)

_BUSY_TIMEOUT_SECONDS = 30.0
_FULL = "the disk is full, or the journal has reached its largest size"
_WRITE_CODES = {
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened or created",
    sqlite3.SQLITE_PERM: "permission was denied",
    sqlite3.SQLITE_BUSY: "another program kept it locked",
    sqlite3.SQLITE_CONSTRAINT: "the entry is there already, or belongs to no stream",
}
_DAMAGE_CODES = {
    sqlite3.SQLITE_NOTADB: "it is no SQLite file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
}
# Below this SQLite cannot make or enlarge the files beside the journal, which it reports as any other disk error.
_NO_ROOM_BYTES = 1 << 16

Parameters = Sequence[Any] | Mapping[str, Any]


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into journal errors of one line each."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code; the rest says more (SQLite documentation, "Result and Error Codes").
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _no_room(path)):
            raise DiskFullError(f"cannot write to the journal {path}: {_FULL} ({error})") from error
        if code in _WRITE_CODES:
            raise JournalWriteError(f"cannot write to the journal {path}: {_WRITE_CODES[code]} ({error})") from error
        if code in _DAMAGE_CODES:
            raise NotAJournalError(f"{path} is not a Keepsight journal: {_DAMAGE_CODES[code]}") from error
        raise JournalError(f"the journal {path} reported: {error}") from error


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.absolute().parent).free < _NO_ROOM_BYTES
    except OSError:
        return False


class Database:
    """A checked connection. Threads may share it; transactions of different threads wait for each other.

    Args:
        path: the journal file.
        create: make the file if it is missing.
        read_only: never write, not even to bring an older journal up to date.
        max_bytes: the file never grows beyond this; None for no limit.

    Raises:
        JournalNotFoundError: the file is missing and `create` is not set.
        NotAJournalError: the file is something else; it is left as it was.
        JournalTooNewError: a later version of Keepsight wrote it.
        JournalWriteError: the file cannot be created or brought up to date; an older journal is copied before.
    """

    def __init__(
        self, path: Path, *, create: bool = False, read_only: bool = False, max_bytes: int | None = None
    ) -> None:
        self.path = path
        self.read_only = read_only
        self._lock = threading.RLock()
        _check_place(path, create=create)
        mode = "ro" if read_only else "rwc" if create else "rw"
        with translated_errors(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=_BUSY_TIMEOUT_SECONDS,
                check_same_thread=False,
            )
            with ExitStack() as on_failure:
                on_failure.callback(self._connection.close)
                self._prepare(create, max_bytes)
                on_failure.pop_all()

    def _prepare(self, create: bool, max_bytes: int | None) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        blank = is_blank(connection)
        if not (create and blank):
            self._check_identity()
        if self.read_only:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if max_bytes is not None:
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_bytes)}")
        if blank or read_version(connection) < len(shipped_migrations()):
            migrate(connection, shipped_migrations(), before_update=lambda version: back_up(self.path, version))

    def _check_identity(self) -> None:
        if read_application_id(self._connection) != APPLICATION_ID:
            raise NotAJournalError(f"{self.path} is not a Keepsight journal")
        version, ours = read_version(self._connection), len(shipped_migrations())
        if version > ours:
            raise JournalTooNewError(
                f"{self.path} has journal version {version}, this Keepsight reads up to {ours}: install a later one"
            )
        if self.read_only and version < ours:
            raise JournalWriteError(f"{self.path} has journal version {version}: open it for writing once to update it")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are on disk when this ends, or none are. Inside another transaction it joins that one.

        Raises:
            JournalWriteError: the file is read-only, or another program holds it locked.
            DiskFullError: there is no room.
        """
        with self._lock, translated_errors(self.path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:  # not committed: it was left by an exception
                    self._connection.execute("ROLLBACK")

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement that writes, in the transaction around it or in its own; the number of rows it changed."""
        with self.transaction():
            return self._connection.execute(sql, parameters).rowcount

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """As `write`, for a statement that adds one row; the row's id."""
        with self.transaction():
            return self._connection.execute(sql, parameters).lastrowid or 0

    def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query, seen at one moment even while another process writes."""
        with self._lock, translated_errors(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        with self._lock:
            self._connection.close()


def _check_place(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise NotAJournalError(f"{path} is a folder, not a Keepsight journal")
    if not create and not path.exists():
        raise JournalNotFoundError(f"there is no journal at {path}")
    if create and not path.absolute().parent.is_dir():
        raise JournalWriteError(f"there is no folder {path.absolute().parent} to write the journal in")
