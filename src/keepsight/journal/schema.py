"""Numbered migrations: what turns an empty SQLite file, or a journal of an earlier version, into today's journal."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

APPLICATION_ID = 0x4B535631
"""Stands in the header of each journal (SQLite file format, offset 68), so that other SQLite files are told apart."""


@dataclass(frozen=True)
class Migration:
    """One step from version `number - 1` to version `number`."""

    number: int
    name: str
    sql: str


@cache
def shipped_migrations() -> tuple[Migration, ...]:
    """The migrations in `journal/migrations/`, files named `0001_what_it_does.sql`, in order."""
    folder = resources.files("keepsight.journal").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name[5:-4], file.read_text(encoding="utf-8")) for file in files)


def read_version(connection: sqlite3.Connection) -> int:
    """Number of the last migration that was applied; 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the database has no tables and belongs to no application."""
    (num_objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return num_objects == 0 and read_application_id(connection) == 0


def read_application_id(connection: sqlite3.Connection) -> int:
    """The number that says which program a SQLite file belongs to."""
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def migrate(
    connection: sqlite3.Connection,
    migrations: Sequence[Migration],
    before_update: Callable[[int], object] | None = None,
) -> None:
    """Apply the migrations that are still missing, all of them in one transaction or none.

    Two processes may do this at once: the second waits, then finds nothing left to do.

    Args:
        connection: in autocommit mode (`isolation_level=None`), outside a transaction.
        migrations: in order, numbered from 1 without holes.
        before_update: called with the version of a journal that has one and is older, while nobody else can write to
            it; if it raises, nothing is changed.
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
        if connection.in_transaction:  # not committed: it was left by an exception
            connection.execute("ROLLBACK")


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script one by one; `executescript` would commit, and so break up the transaction."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
