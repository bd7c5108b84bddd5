"""The streams of a journal: begun, ended, found again."""

import secrets
import sqlite3
from datetime import UTC, datetime

from keepsight.errors import JournalError, SettingError
from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.records import EndReason, StreamPosition, StreamRecord


class StreamTable:
    """Which sources were watched, with what, and how each ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        source: str,
        model: str,
        settings_json: str,
        *,
        is_live: bool = False,
        started_at: datetime | None = None,
    ) -> StreamRecord:
        """Add a stream under a new random id.

        Args:
            source: absolute path or address, without credentials.
            model: name of the model that captions it.
            settings_json: the settings it is watched with (`Settings.to_json`).
            is_live: whether it is watched while it happens.
            started_at: wall clock of the stream's time 0, with time zone; None for now.

        Raises:
            JournalWriteError: the disk refused.
            SettingError: `started_at` has no time zone.
        """
        moment = started_at or datetime.now(UTC)
        if moment.tzinfo is None:
            raise SettingError(f"started_at needs a time zone, {moment.isoformat()} has none")
        stream_id = secrets.token_hex(8)
        self._database.write(
            "INSERT INTO streams (id, source, model, settings, started_at, is_live) VALUES (?, ?, ?, ?, ?, ?)",
            (stream_id, source, model, settings_json, moment.astimezone(UTC).isoformat(), int(is_live)),
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

    def remove(self, stream_id: str) -> None:
        """Remove a stream with all that was seen of it and asked about it.

        Raises:
            JournalError: there is none.
            JournalWriteError: the disk refused.
        """
        if not self._database.write("DELETE FROM streams WHERE id = ?", (stream_id,)):
            raise JournalError(f"the journal {self._database.path} has no stream {stream_id!r}")

    def get(self, stream_id: str) -> StreamRecord:
        """The stream with an id.

        Raises:
            JournalError: there is none.
        """
        rows = self._database.read("SELECT * FROM streams WHERE id = ?", (stream_id,))
        if not rows:
            raise JournalError(f"the journal {self._database.path} has no stream {stream_id!r}")
        return _stream_of(rows[0])

    def position(self, stream_id: str) -> StreamPosition:
        """Where a stream stands, whatever a quota has removed of it.

        Raises:
            JournalError: there is no such stream.
        """
        rows = self._database.read(
            "SELECT next_clip_index, num_tokens_seen, first_clip_tokens FROM streams WHERE id = ?", (stream_id,)
        )
        if not rows:
            raise JournalError(f"the journal {self._database.path} has no stream {stream_id!r}")
        return StreamPosition(*rows[0])

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
        is_live=bool(row["is_live"]),
    )
