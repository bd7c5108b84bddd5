"""The streams of a journal: begun, ended, found again; and the gaps in them."""

import secrets
import sqlite3

from keepsight.errors import JournalError
from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of, now_text
from keepsight.journal.records import EndReason, GapRecord, StreamRecord
from keepsight.spans import Span


class StreamTable:
    """Which sources were watched, with what, and how each ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, source: str, model: str, settings_json: str) -> StreamRecord:
        """Add a stream that starts now, under a new random id.

        Raises:
            JournalWriteError: the disk refused.
        """
        stream_id = secrets.token_hex(8)
        self._database.write(
            "INSERT INTO streams (id, source, model, settings, started_at) VALUES (?, ?, ?, ?, ?)",
            (stream_id, source, model, settings_json, now_text()),
        )
        return self.get(stream_id)

    def resume(self, stream_id: str) -> StreamRecord:
        """Take the mark of its end off a stream that is watched again."""
        self._database.write(
            "UPDATE streams SET end_reason = NULL, end_detail = '', end_seconds = NULL WHERE id = ?", (stream_id,)
        )
        return self.get(stream_id)

    def end(self, stream_id: str, reason: EndReason, end_seconds: float, detail: str = "") -> StreamRecord:
        """Mark the end of a stream.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._database.write(
            "UPDATE streams SET end_reason = ?, end_detail = ?, end_seconds = ? WHERE id = ?",
            (reason.value, detail, end_seconds, stream_id),
        )
        return self.get(stream_id)

    def get(self, stream_id: str) -> StreamRecord:
        """The stream with an id.

        Raises:
            JournalError: there is none.
        """
        rows = self._database.read("SELECT * FROM streams WHERE id = ?", (stream_id,))
        if not rows:
            raise JournalError(f"the journal {self._database.path} has no stream {stream_id!r}")
        return _stream_of(rows[0])

    def all(self) -> list[StreamRecord]:
        """All streams, in the order in which they were begun."""
        return [_stream_of(row) for row in self._database.read("SELECT * FROM streams ORDER BY rowid")]

    def of_source(self, source: str) -> list[StreamRecord]:
        """The streams of one source, in the order in which they were begun."""
        return [stream for stream in self.all() if stream.source == source]

    def latest(self) -> StreamRecord | None:
        """The stream begun last, or None in a new journal."""
        rows = self._database.read("SELECT * FROM streams ORDER BY rowid DESC LIMIT 1")
        return _stream_of(rows[0]) if rows else None


class GapTable:
    """What was not seen of a stream, and why."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, gap: GapRecord) -> None:
        """Store a gap.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._database.write(
            "INSERT INTO gaps (stream_id, start_seconds, end_seconds, reason) VALUES (?, ?, ?, ?)",
            (gap.stream_id, gap.span.start_seconds, gap.span.end_seconds, gap.reason),
        )

    def of(self, stream_id: str) -> list[GapRecord]:
        """The gaps of a stream, in time order."""
        rows = self._database.read("SELECT * FROM gaps WHERE stream_id = ? ORDER BY start_seconds, id", (stream_id,))
        return [
            GapRecord(row["stream_id"], Span(row["start_seconds"], row["end_seconds"]), row["reason"]) for row in rows
        ]


def _stream_of(row: sqlite3.Row) -> StreamRecord:
    return StreamRecord(
        id=row["id"],
        source=row["source"],
        model=row["model"],
        settings_json=row["settings"],
        started_at=moment_of(row["started_at"]),
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        end_detail=row["end_detail"],
        end_seconds=row["end_seconds"],
    )
