"""Write-ahead logs separated from their journal: refuse another journal's log, and move a renamed journal's log along.

SQLite finds a log by name only, and replays it into any file with that name without `-wal`.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from keepsight.errors import JournalLogError
from keepsight.journal.file_identity import FileId, file_at, file_signature, log_bytes, log_path, read_start

_MAGIC = b"SQLite format 3\0"
_VERSIONS = slice(18, 20)
"""Of the header: 2 in WAL mode, else 1, for writing and for reading (SQLite, "Database File Format", 1.3.3)."""
_ROLLBACK_MODE = b"\x01\x01"


def check_log(path: Path) -> None:
    """Refuse a journal with another journal's log next to it, before any connection replays the log.

    SQLite marks WAL mode in the journal before creating the log, and removes the log before clearing the mark. A
    non-empty log is therefore another journal's if the journal is not in WAL mode, empty, or missing.

    Raises:
        JournalLogError: the log belongs to another journal; nothing was changed.
    """
    log = log_path(path)
    before = file_signature(log)
    if not log_bytes(path) or not _is_closed(path):
        return
    if file_signature(log) == before:  # else the journal was opened or closed meanwhile, and the log is its own
        raise JournalLogError(
            f"{log} belongs to a journal that was moved, removed or replaced, not to {path.name}; remove it, or move "
            "it back next to its journal"
        )


def _is_closed(path: Path) -> bool:
    try:
        start = read_start(path, _VERSIONS.stop)
    except FileNotFoundError:
        return True
    except OSError:  # SQLite reports the problem
        return False
    return not start or (start.startswith(_MAGIC) and start[_VERSIONS] == _ROLLBACK_MODE)


def bring_log(former: Path, name: Path, file: FileId, log: FileId) -> None:
    """Move a renamed journal's log along and merge its entries, once this process has closed both.

    Does nothing if either name now belongs to another file.

    Args:
        former: path of the journal when it was opened.
        name: its current path.
        file, log: the journal and its log.
    """
    old, new = log_path(former), log_path(name)
    with suppress(OSError):  # such as a log of the new name: the journal was then opened under it
        if file_at(new) != log:
            if file_at(old) != log or file_at(former) is not None or file_at(name) != file:
                return
            os.link(old, new)
            old.unlink()
        uri = f"{name.absolute().as_uri()}?mode=rw"
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True, timeout=0.0)) as connection:
            # Fails while others have it open, in which case the log is in place
            connection.execute("PRAGMA journal_mode = DELETE")
