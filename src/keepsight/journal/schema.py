"""Numbered migrations from an empty file, or an earlier version, to the current schema."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from keepsight.errors import JournalTooNewError, NotAJournalError

APPLICATION_ID = 0x4B535631
"""In the header of each journal (SQLite file format, offset 68), to tell it from other SQLite files."""


@dataclass(frozen=True)
class Migration:
    """One step from version `number - 1` to version `number`."""

    number: int
    name: str
    sql: str


@cache
def shipped_migrations() -> tuple[Migration, ...]:
    """Migrations in `journal/migrations/`, files named `0001_what_it_does.sql`, in order."""
    folder = resources.files("keepsight.journal").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name[5:-4], file.read_text(encoding="utf-8")) for file in files)


def read_version(connection: sqlite3.Connection) -> int:
    """Number of the last applied migration; 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the database has no tables and no application id."""
    (num_objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return num_objects == 0 and read_application_id(connection) == 0


def read_application_id(connection: sqlite3.Connection) -> int:
    """Application id of an SQLite file."""
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def check_is_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Check that this version of Keepsight can read the file.

    Raises:
        NotAJournalError: it belongs to another program.
        JournalTooNewError: a later version of Keepsight wrote it.
    """
    if read_application_id(connection) != APPLICATION_ID:
        raise NotAJournalError(f"{path} is not a Keepsight journal")
    version, ours = read_version(connection), len(shipped_migrations())
    if version > ours:
        raise JournalTooNewError(
            f"{path} has journal version {version}, above {ours}, the newest this Keepsight reads; upgrade Keepsight"
        )


def migrate(
    connection: sqlite3.Connection,
    migrations: Sequence[Migration],
    before_update: Callable[[int], object] | None = None,
) -> None:
    """Apply missing migrations in one transaction.

    Safe for concurrent processes: the second waits, then finds nothing to do.

    Args:
        connection: in autocommit mode (`isolation_level=None`), outside a transaction.
        migrations: in order, numbered from 1 without holes.
        before_update: called with the version of an older journal while it is locked for writing; if it raises, nothing
            is changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = read_version(connection)
        if before_update is not None and 0 < version < len(migrations):
            before_update(version)
        for migration in migrations[version:]:
            for statement in _statements(migration.sql):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {migration.number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # left open by an exception
            connection.execute("ROLLBACK")


def _statements(sql: str) -> Iterator[str]:
    """Statements of a script one by one; `executescript` would commit the transaction."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
