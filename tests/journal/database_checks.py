"""SQLite's own checks of a journal, by a connection that is not the journal's."""

import contextlib
import sqlite3
from pathlib import Path


def assert_sound(path: Path) -> None:
    """Pages, foreign keys and the full-text index are consistent, and the counts are those of the rows."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        # With rank 1 the index is compared with the captions, too (SQLite, FTS5, "The integrity-check command").
        connection.execute("INSERT INTO caption_index (caption_index, rank) VALUES ('integrity-check', 1)")
        connection.rollback()
        for stream_id, counted in connection.execute("SELECT id, num_bytes FROM streams").fetchall():
            assert counted == bytes_of_rows(connection, stream_id)


def bytes_of_rows(connection: sqlite3.Connection, stream_id: str) -> int:
    """Bytes of all captions and BLOBs of a stream, counted from the content itself."""
    columns = "caption, frame_seconds, kept_indices, embedding, scores, thumbnail"
    clips = connection.execute(f"SELECT {columns} FROM clips WHERE stream_id = ?", (stream_id,))
    total = sum(len(cell.encode() if isinstance(cell, str) else cell) for row in clips for cell in row)
    for table in ("memory", "memory_before_end"):
        memory = connection.execute(f"SELECT tokens, positions FROM {table} WHERE stream_id = ?", (stream_id,))
        total += sum(len(tokens) + len(positions or b"") for tokens, positions in memory)
    return total
