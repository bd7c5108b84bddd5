"""A journal's SQLite file: one connection that writes durable transactions, and a pool that reads."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from keepsight.errors import JournalMovedError, JournalNotFoundError, JournalWriteError, NotAJournalError
from keepsight.journal.connecting import Readers, ReadingPlace, copied_place, find_reading_place, is_writable
from keepsight.journal.file_identity import FileIdentity
from keepsight.journal.schema import check_is_journal, read_version, shipped_migrations
from keepsight.journal.sqlite_errors import translated_errors
from keepsight.journal.writer import PATIENCE_SECONDS, Writer

_WORTH_TELLING_SECONDS = 2.0

Parameters = Sequence[Any] | Mapping[str, Any]


class Database:
    """A checked journal file. Thread-safe: writers wait for each other, readers for no one.

    Args:
        path: the file.
        create: create the file if missing.
        read_only: never write, not even to migrate an older journal.
        max_bytes: size limit of the file; None for no limit.

    Raises:
        JournalNotFoundError: the file is missing and `create` is not set.
        NotAJournalError: it is another kind of file; it is unchanged.
        JournalTooNewError: a later version of Keepsight wrote it.
        JournalLogError: another journal's log is next to it; nothing is changed.
        JournalWriteError: the file cannot be created or migrated; an older journal is backed up first.
    """

    def __init__(
        self, path: Path, *, create: bool = False, read_only: bool = False, max_bytes: int | None = None
    ) -> None:
        self.path = path
        self.read_only = read_only
        _check_place(path, create=create)
        with translated_errors(path, "read" if read_only else "write to"), ExitStack() as on_failure:
            self._writer = None if read_only else Writer(path, create=create, max_bytes=max_bytes)
            if self._writer is not None:
                on_failure.callback(self._writer.close)
            self._open_readers()
            on_failure.pop_all()

    def _open_readers(self) -> None:
        """Open the read pool.

        Raises:
            JournalError: the file is not a journal, or has another version.
        """
        place = find_reading_place(self.path) if self._writer is None else ReadingPlace(self.path)
        if self._writer is None:
            place = self._checked(place)
        self._place = place
        self._identity = FileIdentity(self.path)
        self._readers = Readers(place.connect)

    def _checked(self, place: ReadingPlace) -> ReadingPlace:
        """Place of a journal of this version; an older one on a read-only disk is copied and migrated."""
        with ExitStack() as on_failure:
            on_failure.callback(place.close)
            connection = place.connect()
            on_failure.callback(connection.close)
            check_is_journal(connection, self.path)
            version = read_version(connection)
            if version == len(shipped_migrations()):
                connection.close()
                on_failure.pop_all()
                return place
            if place.signature is None and is_writable(self.path):
                raise JournalWriteError(
                    f"{self.path} has journal version {version}; open it for writing once to migrate it"
                )
        return copied_place(self.path)

    @property
    def was_in_use(self) -> bool:
        """Whether this is a copy made in use without the write-ahead log."""
        return self._place.was_in_use if self._writer is None else self._writer.was_in_use

    def mark_whole(self) -> None:
        """Clear `was_in_use` when the file is closed, since what the copy lacks is watched again."""
        if self._writer is not None:
            self._writer.is_whole = True

    def trouble(self) -> str:
        """Reason why new entries cannot be stored now, in one line; empty if they can."""
        try:
            self._check_identity()
        except JournalMovedError as error:
            return str(error)
        seconds = 0.0 if self._writer is None else self._writer.waiting_seconds
        if seconds < _WORTH_TELLING_SECONDS:
            return ""
        return f"another program has locked the journal for {seconds:.0f} s; new captions are waiting"

    @property
    def waited_seconds(self) -> float:
        """Total time that writes waited for other programs' locks."""
        return 0.0 if self._writer is None else self._writer.waited_seconds

    @contextmanager
    def transaction(
        self, patience_seconds: float = PATIENCE_SECONDS, give_up: Callable[[], bool] | None = None
    ) -> Iterator[None]:
        """Make all writes inside durable together, or none. Joins an outer transaction.

        Args:
            patience_seconds: lock timeout; may be infinite.
            give_up: polled while waiting; True stops waiting.

        Raises:
            JournalBusyError: another program holds the lock.
            JournalMovedError: the file at the path was replaced or removed.
            JournalWriteError: the file is read-only.
            DiskFullError: the disk is full.
        """
        if self._writer is None:
            raise JournalWriteError(f"cannot write to the journal {self.path}: it is read-only")
        with translated_errors(self.path):
            if self._writer.is_in_transaction:
                yield
                return
            with self._writer.transaction(patience_seconds, give_up):
                yield

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a writing statement in the current or its own transaction; return the number of changed rows."""
        return self._run(sql, parameters).rowcount

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement that inserts one row, like `write`; return the row's id."""
        return self._run(sql, parameters).lastrowid or 0

    def _run(self, sql: str, parameters: Parameters) -> sqlite3.Cursor:
        with self.transaction():
            if self._writer is None:  # refused by `transaction`
                raise JournalWriteError(f"cannot write to the journal {self.path}: it is read-only")
            return self._writer.connection.execute(sql, parameters)

    def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query from one snapshot; inside a transaction, including its own writes.

        Raises:
            JournalMovedError: the file at the path was replaced or removed.
        """
        with translated_errors(self.path, "read"):
            if self._writer is not None and self._writer.is_in_transaction:
                return self._writer.connection.execute(sql, parameters).fetchall()
            if self._place.is_stale(self.path):
                self._close_readers()
                self._open_readers()
            self._check_identity()
            with self._readers.taken() as connection:
                return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._close_readers()
        if self._writer is not None:
            self._writer.close()

    def _close_readers(self) -> None:
        self._readers.close()
        self._place.close()

    def _check_identity(self) -> None:
        if self._writer is not None:
            self._writer.check_place()
        elif self._place.path == self.path:
            self._identity.check()


def _check_place(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise NotAJournalError(f"{path} is a folder, not a Keepsight journal")
    if not create and not path.exists():
        raise JournalNotFoundError(f"no journal at {path}")
    if create and not path.absolute().parent.is_dir():
        raise JournalWriteError(f"cannot write the journal: no such folder {path.absolute().parent}")
