"""Copies of a journal: before a migration, and on request while in use."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from keepsight.errors import JournalError, JournalWriteError
from keepsight.journal.connecting import ReadingPlace, connect, find_reading_place
from keepsight.journal.schema import check_is_journal
from keepsight.journal.sqlite_errors import translated_errors
from keepsight.whole_file import open_private, partial_path


def backup_path(path: Path, version: int) -> Path:
    """Path of the backup of a version: `kitchen.db.v1.bak` next to `kitchen.db`."""
    return path.with_name(f"{path.name}.v{version}.bak")


def back_up(path: Path, version: int) -> Path:
    """Copy a journal before a migration, replacing the copy of an earlier attempt.

    The copy is renamed into place once it is complete and on disk. The caller holds the write lock, so that nothing is
    written between copy and migration.

    Returns:
        The copy.

    Raises:
        JournalWriteError: the copy cannot be written; the journal is unchanged.
    """
    target = backup_path(path, version)
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        open_private(partial).close()
        _copy(path, partial)
        partial.replace(target)
        sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise JournalWriteError(
            f"cannot write {target}, the version {version} backup made before migrating {path.name}: {error}; "
            "the journal is unchanged"
        ) from error
    return target


def _copy(source: Path, target: Path) -> None:
    """Copy with a connection of its own: SQLite does not copy from one that has started writing
    (`sqlite3_backup_step`).
    """
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so a new name in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Copied:
    """A verified copy.

    Attributes:
        path: its path.
        num_bytes: its size.
        num_streams, num_clips: its contents.
        was_in_use: whether the source itself was copied in use and may lack its newest entries.
    """

    path: Path
    num_bytes: int
    num_streams: int
    num_clips: int
    was_in_use: bool


def copy_journal(path: Path, target: Path, *, overwrite: bool = False) -> Copied:
    """Copy a journal as of one moment (SQLite's online backup), and verify the copy.

    Others may read and write meanwhile. The copy is one file, readable by its owner only. It is renamed into place once
    it is complete, on disk, and verified: SQLite's integrity check, and equal row counts in every table.

    Args:
        path: the journal.
        target: the copy; its folder must exist.
        overwrite: replace an existing file.

    Raises:
        NotAJournalError, JournalTooNewError: it is not a readable journal.
        JournalLogError: another journal's log is next to it.
        JournalWriteError: the copy cannot be written, already exists, or differs.
    """
    target = target.resolve()  # keep a symlink, and replace its target
    _check_target(path, target, overwrite=overwrite)
    partial = partial_path(target)
    with translated_errors(path, "copy"), contextlib.closing(find_reading_place(path)) as place:
        try:
            counts = _write(path, place, partial)
            partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise JournalWriteError(f"cannot write {target}: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return Copied(target, target.stat().st_size, counts["streams"], counts["clips"], place.was_in_use)


def _check_target(path: Path, target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise JournalWriteError(f"{target} is a folder: name a file in it")
    if not target.parent.is_dir():
        raise JournalWriteError(f"no such folder: {target.parent}")
    if target.exists() and target.samefile(path):
        raise JournalWriteError(f"{target} is the journal itself: give the copy another name")
    if target.exists() and not overwrite:
        raise JournalWriteError(f"{target} already exists; give another name, or --force to replace it")
    for beside in _BESIDE:
        # SQLite would take it for the copy's own log, and replay it into the copy.
        if (other := target.with_name(f"{target.name}{beside}")).exists():
            raise JournalWriteError(f"{target} is in use, or was not closed ({other.name} exists); give another name")


def _write(path: Path, place: ReadingPlace, partial: Path) -> dict[str, int]:
    """Write, verify and sync the copy; return the row counts of its tables."""
    partial.unlink(missing_ok=True)
    open_private(partial).close()
    with contextlib.closing(place.connect()) as reading, contextlib.closing(connect(partial, "rw")) as writing:
        check_is_journal(reading, path)
        reading.execute("BEGIN")  # count and copy the same snapshot
        counts = _count(reading)
        with translated_errors(partial):
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")  # closed cleanly: nothing is missing in it
            problems = [row[0] for row in writing.execute("PRAGMA integrity_check")]
            if (
                problems != ["ok"]
                or writing.execute("PRAGMA foreign_key_check").fetchall()
                or _count(writing) != counts
            ):
                raise JournalError(f"the copy of {path} failed its integrity check and was removed: {problems[0]}")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    return counts


def _count(connection: sqlite3.Connection) -> dict[str, int]:
    """Row counts of all tables but the full-text index, which the integrity check covers."""
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])
        for table in tables
        if not table.startswith(("caption_index", "sqlite_"))
    }
