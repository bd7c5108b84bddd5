"""A copy of an older journal, made before it is brought up to date."""

import contextlib
import os
import sqlite3
from pathlib import Path

from keepsight.errors import JournalWriteError


def backup_path(path: Path, version: int) -> Path:
    """Where the copy of a journal of some version lies: `kitchen.db.v1.bak` beside `kitchen.db`."""
    return path.with_name(f"{path.name}.v{version}.bak")


def back_up(path: Path, version: int) -> Path:
    """Copy a journal as it stands, and replace the copy that an earlier attempt left.

    The copy takes its name once it is whole and on disk. Whoever calls this holds the journal locked for writing, so
    that nothing is written after the copy and before the update.

    Returns:
        The copy.

    Raises:
        JournalWriteError: it cannot be written; the journal is as it was.
    """
    target = backup_path(path, version)
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        _copy(path, partial)
        partial.replace(target)
        _sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise JournalWriteError(
            f"cannot write {target}, the copy of version {version} that an update of {path.name} needs: {error}; "
            "the journal is as it was"
        ) from error
    return target


def _copy(source: Path, target: Path) -> None:
    """By a connection of its own: SQLite does not copy from one that has begun to write (`sqlite3_backup_step`)."""
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
