"""Writing connection of a journal: one durable transaction at a time, with bounded waits."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from keepsight.errors import JournalMovedError
from keepsight.journal.backup import back_up
from keepsight.journal.connecting import check_writable, connect, make_private
from keepsight.journal.file_identity import FileIdentity, file_at, file_signature, find_open_file, log_bytes
from keepsight.journal.schema import check_is_journal, is_blank, migrate, read_version, shipped_migrations
from keepsight.journal.sqlite_errors import busy, is_busy
from keepsight.journal.stray_log import bring_log, check_log

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""Lock timeout of a transaction."""

TELL_AFTER_SECONDS = 5.0
"""Log a wait for the lock that is longer; shorter ones are other programs' normal writes."""

_SLICE_SECONDS = 0.5
"""SQLite's busy timeout per attempt, so that signals are handled in between."""


class Writer:
    """Writes to a journal. Transactions of different threads wait for each other.

    During writing the journal is in WAL mode, which its header records. A cleanly closed journal leaves that mode, so a
    copy of the file alone, made in use, can be recognised.

    Args:
        path: the file.
        create: create it if missing.
        max_bytes: size limit; None for no limit.

    Raises:
        sqlite3.Error: it cannot be opened.
        NotAJournalError, JournalTooNewError: it is another kind of file, or too new.
        JournalLogError: another journal's log is next to it.
        JournalWriteError: it is read-only, or the backup of an older version cannot be written.
    """

    def __init__(self, path: Path, *, create: bool, max_bytes: int | None) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._thread: int | None = None
        self._waiting_since: float | None = None
        self._is_told = False
        self.waited_seconds = 0.0
        """Total time that transactions waited for other programs."""
        self._is_in_wal_mode = self._is_closed = False
        self.is_whole = False
        """Set once what an incomplete copy lacks was watched again."""
        self.was_in_use = False
        check_log(path)
        check_writable(path)
        if create:
            make_private(path)
        file, num_log_bytes = file_signature(path), log_bytes(path)
        self.connection = connect(path, "rwc" if create else "rw", _SLICE_SECONDS)
        with ExitStack() as on_failure:
            on_failure.callback(self.connection.close)
            self._prepare(create, max_bytes)
            (mode,) = self.connection.execute("PRAGMA journal_mode").fetchone()
            is_cut = mode == "wal" and num_log_bytes == 0 and file_signature(path) == file
            self.was_in_use = is_cut and not self._is_in_wal_mode
            self._identity = FileIdentity(path)
            on_failure.pop_all()

    def _prepare(self, create: bool, max_bytes: int | None) -> None:
        connection, patience = self.connection, _Patience(PATIENCE_SECONDS)
        blank = self._patiently(lambda: is_blank(connection), patience)
        if not (create and blank):
            check_is_journal(connection, self._path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if max_bytes is not None:
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_bytes)}")
        if blank or read_version(connection) < len(shipped_migrations()):
            self._enter_wal_mode(patience)
            self._patiently(self._migrate, patience)
            # Write into the file itself, so that a copy without the log is still a journal, marked as copied in use.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _migrate(self) -> None:
        migrate(self.connection, shipped_migrations(), before_update=lambda version: back_up(self._path, version))

    @property
    def is_in_transaction(self) -> bool:
        """Whether this thread is in a transaction."""
        return self._thread == threading.get_ident()

    @property
    def waiting_seconds(self) -> float:
        """Time that a transaction has been waiting for another program; 0 if none is."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def check_place(self) -> None:
        """Check that the path still leads to the open file.

        Raises:
            JournalMovedError: it does not. If only the log was removed, its entries are saved into the journal.
        """
        try:
            self._identity.check()
        except JournalMovedError:
            if self._identity.log_was_removed() and not self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            raise

    @contextmanager
    def transaction(self, patience_seconds: float, give_up: Callable[[], bool] | None = None) -> Iterator[None]:
        """Run a transaction (`Database.transaction`); this thread must not be in one."""
        patience = _Patience(patience_seconds, give_up)
        while not self._turn.acquire(timeout=_SLICE_SECONDS):
            if patience.is_over:
                raise busy(self._path)
        try:
            self.check_place()
            self._begin(patience)
            self._thread = threading.get_ident()
            try:
                yield
                self._identity.check()
                self.connection.execute("COMMIT")
            finally:
                self._thread = None
                if self.connection.in_transaction:  # left open by an exception
                    self.connection.execute("ROLLBACK")
            self.check_place()
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close the file, cleanly if no one else has it open. Idempotent.

        A journal renamed while open gets its newest entries, unless another file has its path now.
        """
        with self._turn:
            if self._is_closed:
                return
            self._is_closed = True
            renamed_to = self._renamed_to()
            if not self.was_in_use or self.is_whole:
                # Fails if it is open elsewhere; the last one to close it does this.
                with suppress(sqlite3.Error, JournalMovedError):
                    self.check_place()
                    self.connection.execute("PRAGMA busy_timeout = 0")
                    self.connection.execute("PRAGMA journal_mode = DELETE")
            self.connection.close()
            if renamed_to is not None and self._identity.log is not None:
                bring_log(self._path, renamed_to, self._identity.file, self._identity.log)

    def _renamed_to(self) -> Path | None:
        if file_at(self._path) is not None:
            return None
        return find_open_file(self._identity.file, self._path).name

    def _begin(self, patience: "_Patience") -> None:
        self._enter_wal_mode(patience)
        self._patiently(lambda: self.connection.execute("BEGIN IMMEDIATE"), patience)
        self._identity.remember_log()

    def _enter_wal_mode(self, patience: "_Patience") -> None:
        if not self._is_in_wal_mode:
            self._patiently(lambda: self.connection.execute("PRAGMA journal_mode = WAL").fetchone(), patience)
            self._is_in_wal_mode = True

    def _patiently(self, step: Callable[[], T], patience: "_Patience") -> T:
        """Retry a step while another program holds the lock."""
        try:
            while True:
                try:
                    return step()
                except sqlite3.OperationalError as error:
                    if not is_busy(error) or patience.is_over:
                        raise
                self._tell_waiting()
        finally:
            self._tell_free()

    def _tell_waiting(self) -> None:
        self._waiting_since = self._waiting_since or time.monotonic() - _SLICE_SECONDS
        if self.waiting_seconds > TELL_AFTER_SECONDS and not self._is_told:
            self._is_told = True
            logger.warning("waiting for the journal %s: another program holds its lock", self._path)

    def _tell_free(self) -> None:
        if self._waiting_since is not None:
            self.waited_seconds += self.waiting_seconds
            self._waiting_since, self._is_told = None, False


class _Patience:
    """How long to wait, and whether waiting is still wanted."""

    def __init__(self, seconds: float, give_up: Callable[[], bool] | None = None) -> None:
        self._deadline = time.monotonic() + seconds
        self._give_up = give_up

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline or (self._give_up is not None and self._give_up())
