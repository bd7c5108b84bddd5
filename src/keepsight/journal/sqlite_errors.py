"""SQLite's errors as journal errors with one-line messages."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keepsight.errors import (
    DiskFullError,
    JournalBusyError,
    JournalError,
    JournalWriteError,
    NotAJournalError,
)

_FULL = "the disk is full, or the journal has reached its size limit"
_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_WRITE_CODES = {
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_CANTOPEN: "cannot open or create the file",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_CONSTRAINT: "the entry already exists, or its stream does not",
}
_DAMAGE_CODES = {
    sqlite3.SQLITE_NOTADB: "it is not an SQLite file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
}
# With less free space SQLite cannot create or grow its side files, which it reports as a generic disk error.
_NO_ROOM_BYTES = 1 << 16


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 if unknown; higher bits hold the extended code (SQLite, "Result and Error
    Codes").
    """
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another program held the lock."""
    return primary_code(error) in _BUSY_CODES


def busy(path: Path, doing: str = "write to") -> JournalBusyError:
    """Error of a journal that stayed locked."""
    return JournalBusyError(f"cannot {doing} the journal {path}: another program holds its lock")


@contextmanager
def translated_errors(path: Path, doing: str = "write to") -> Iterator[None]:
    """Convert SQLite's errors into journal errors.

    Args:
        path: the journal.
        doing: attempted action, for the message.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = primary_code(error)
        if code == sqlite3.SQLITE_FULL or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _no_room(path)):
            raise DiskFullError(f"cannot {doing} the journal {path}: {_FULL} ({error})") from error
        if is_busy(error):
            raise busy(path, doing) from error
        if code in _WRITE_CODES:
            raise JournalWriteError(f"cannot {doing} the journal {path}: {_WRITE_CODES[code]} ({error})") from error
        if code in _DAMAGE_CODES:
            raise NotAJournalError(f"{path} is not a Keepsight journal: {_DAMAGE_CODES[code]}") from error
        raise JournalError(f"the journal {path} reported: {error}") from error


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.absolute().parent).free < _NO_ROOM_BYTES
    except OSError:
        return False
