"""A journal as version 1 wrote it: made with the first migration alone, filled by its own statements."""

import contextlib
import sqlite3
from pathlib import Path

from keepsight.journal.encoding import float32_blob, int32_blob, seconds_blob
from keepsight.journal.schema import migrate, shipped_migrations
from tests.journal.clip_records import make_clip

STARTED_AT = "2026-03-01T10:00:00.250000+00:00"

_INSERT = """
INSERT INTO clips (
    stream_id, clip_index, start_seconds, end_seconds, caption, num_line_tokens, num_visual_tokens, num_memory_tokens,
    grid_rows, grid_columns, seconds_spent, frame_seconds, kept_indices, embedding, scores, thumbnail
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def write_version_1(path: Path, num_clips: int = 5) -> None:
    """Two streams `a` and `b`, clips in turns, a memory of three clips, a gap and an answer each."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, shipped_migrations()[:1])
        for name in "ab":
            connection.execute(
                "INSERT INTO streams (id, source, model, settings, started_at) VALUES (?, '/a.mp4', 'tiny', '{}', ?)",
                (name, STARTED_AT),
            )
            connection.execute("INSERT INTO gaps VALUES (NULL, ?, 10, 12, 'lost')", (name,))
            connection.execute(
                "INSERT INTO answers VALUES (NULL, ?, ?, 64, 'where?', 'there', '[0, 1]', 2, 0)", (name, STARTED_AT)
            )
        for index in range(num_clips):
            for name in "ab":
                add_clip(connection, name, index)
                connection.execute("INSERT INTO memory VALUES (?, ?, ?)", (name, index, bytes(100 + index)))
                connection.execute("DELETE FROM memory WHERE stream_id = ? AND clip_index <= ?", (name, index - 3))


def add_clip(connection: sqlite3.Connection, stream_id: str, index: int) -> None:
    clip = make_clip(stream_id, index)
    connection.execute(
        _INSERT,
        (
            stream_id,
            index,
            clip.span.start_seconds,
            clip.span.end_seconds,
            clip.caption,
            clip.num_line_tokens,
            clip.num_visual_tokens,
            clip.num_memory_tokens,
            *clip.token_grid,
            clip.seconds_spent,
            seconds_blob(clip.frame_seconds),
            int32_blob(clip.kept_indices),
            float32_blob(clip.embedding),
            float32_blob(clip.scores),
            clip.thumbnail,
        ),
    )
