"""Streams of a journal."""

import json
import secrets
import sqlite3
from datetime import UTC, datetime

from keepsight.errors import SettingError, UnknownStreamError
from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.records import EndReason, ModelVersion, StreamPosition, StreamRecord, WallClock

_SELECT = (
    "SELECT *, (SELECT json_group_array(json_array(from_seconds, wall_clocks.started_at)) FROM wall_clocks "
    "WHERE stream_id = streams.id) AS wall_clocks FROM streams"
)


class StreamTable:
    """Watched sources, their settings, and how each ended."""

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
        identity_json: str | None = None,
        video_stream: int | None = None,
        version: ModelVersion | None = None,
    ) -> StreamRecord:
        """Add a stream under a new random id.

        Args:
            source: absolute path or address, without credentials.
            model: name of the model that captions it.
            settings_json: the settings it is watched with (`Settings.to_json`).
            is_live: whether the source is live.
            started_at: wall clock of the stream's time 0, with time zone; None for now.
            identity_json: identity of the source's content; None if unknown.
            video_stream: index of the watched video stream; None if not applicable.
            version: which weights the model's name stands for; None if unknown.

        Raises:
            JournalWriteError: writing failed.
            SettingError: `started_at` has no time zone.
        """
        moment = started_at or datetime.now(UTC)
        if moment.tzinfo is None:
            raise SettingError(f"started_at must have a time zone, got {moment.isoformat()}")
        stream_id = secrets.token_hex(8)
        self._database.write(
            "INSERT INTO streams (id, source, model, settings, started_at, is_live, identity, video_stream, checkpoint,"
            " dtype, quantization, fingerprint, choices) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stream_id,
                source,
                model,
                settings_json,
                moment.astimezone(UTC).isoformat(),
                int(is_live),
                identity_json,
                video_stream,
                *_version_columns(version),
            ),
        )
        return self.get(stream_id)

    def set_version(self, stream_id: str, version: ModelVersion | None) -> StreamRecord:
        """Update which weights a stream's model is, and their format, when it is resumed.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(
            "UPDATE streams SET checkpoint = ?, dtype = ?, quantization = ?, fingerprint = ?, choices = ? WHERE id = ?",
            (*_version_columns(version), stream_id),
        )
        return self.get(stream_id)

    def identify(self, stream_id: str, identity_json: str | None, video_stream: int | None) -> StreamRecord:
        """Update the identity of a stream's source, when it has grown or was unknown.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(
            "UPDATE streams SET identity = ?, video_stream = ? WHERE id = ?", (identity_json, video_stream, stream_id)
        )
        return self.get(stream_id)

    def rename(self, stream_id: str, source: str, other_names: tuple[str, ...]) -> StreamRecord:
        """Update a source's name, and other names of the same content.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(
            "UPDATE streams SET source = ?, other_names = ? WHERE id = ?",
            (source, json.dumps(other_names, ensure_ascii=False), stream_id),
        )
        return self.get(stream_id)

    def set_settings(self, stream_id: str, settings_json: str) -> StreamRecord:
        """Replace a stream's settings for answering; those that decided its captions stay.

        Args:
            stream_id: id of the stream.
            settings_json: all settings, with unchanged caption settings.

        Raises:
            JournalWriteError: the write failed.
        """
        self._database.write("UPDATE streams SET settings = ? WHERE id = ?", (settings_json, stream_id))
        return self.get(stream_id)

    def resume(self, stream_id: str) -> StreamRecord:
        """Clear the end mark of a stream that is watched again."""
        self._database.mark_whole()
        self._database.write(
            "UPDATE streams SET end_reason = NULL, end_detail = '', end_seconds = NULL WHERE id = ?", (stream_id,)
        )
        return self.get(stream_id)

    def end(self, stream_id: str, reason: EndReason, end_seconds: float, detail: str = "") -> StreamRecord:
        """Mark the end of a stream.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(
            "UPDATE streams SET end_reason = ?, end_detail = ?, end_seconds = ? WHERE id = ?",
            (reason.value, detail, end_seconds, stream_id),
        )
        return self.get(stream_id)

    def set_clock(self, stream_id: str, from_seconds: float, started_at: datetime) -> StreamRecord:
        """Store a clock correction of a live stream, after the system clock was set.

        Args:
            stream_id: the stream.
            from_seconds: start of the run that it applies to; 0 for the first.
            started_at: second s of the run is at `started_at` + s; with time zone.

        Raises:
            JournalWriteError: writing failed.
        """
        text = started_at.astimezone(UTC).isoformat()
        with self._database.transaction():
            if from_seconds <= 0:
                self._database.write("UPDATE streams SET started_at = ? WHERE id = ?", (text, stream_id))
            else:
                self._database.write(
                    "INSERT OR REPLACE INTO wall_clocks (stream_id, from_seconds, started_at) VALUES (?, ?, ?)",
                    (stream_id, from_seconds, text),
                )
        return self.get(stream_id)

    def remove(self, stream_id: str) -> None:
        """Remove a stream with all its data, questions included.

        Raises:
            UnknownStreamError: no such stream.
            JournalWriteError: writing failed.
        """
        if not self._database.write("DELETE FROM streams WHERE id = ?", (stream_id,)):
            raise UnknownStreamError(f"the journal {self._database.path} has no stream {stream_id!r}")

    def get(self, stream_id: str) -> StreamRecord:
        """Stream by id.

        Raises:
            UnknownStreamError: no such stream.
        """
        rows = self._database.read(f"{_SELECT} WHERE id = ?", (stream_id,))
        if not rows:
            raise UnknownStreamError(f"the journal {self._database.path} has no stream {stream_id!r}")
        return _stream_of(rows[0])

    def position(self, stream_id: str) -> StreamPosition:
        """Position of a stream, counting what quotas removed.

        Raises:
            UnknownStreamError: no such stream.
        """
        rows = self._database.read(
            "SELECT next_clip_index, num_tokens_seen, first_clip_tokens, num_still_clips FROM streams WHERE id = ?",
            (stream_id,),
        )
        if not rows:
            raise UnknownStreamError(f"the journal {self._database.path} has no stream {stream_id!r}")
        return StreamPosition(*rows[0])

    def all(self) -> list[StreamRecord]:
        """All streams, oldest first."""
        return [_stream_of(row) for row in self._database.read(f"{_SELECT} ORDER BY rowid")]

    def of_source(self, source: str) -> list[StreamRecord]:
        """Streams of a source by any of its names, oldest first."""
        return [stream for stream in self.all() if source in stream.names]

    def latest(self) -> StreamRecord | None:
        """Newest stream, or None in a new journal."""
        rows = self._database.read(f"{_SELECT} ORDER BY rowid DESC LIMIT 1")
        return _stream_of(rows[0]) if rows else None


def _version_columns(version: ModelVersion | None) -> tuple[str | None, ...]:
    if version is None:
        return None, None, None, None, "{}"
    choices = json.dumps(dict(version.choices))
    return version.checkpoint, version.dtype, version.quantization, version.fingerprint or None, choices


def _version_of(row: sqlite3.Row) -> ModelVersion | None:
    if row["checkpoint"] is None:
        return None
    choices = tuple(sorted(json.loads(row["choices"]).items()))
    return ModelVersion(row["checkpoint"], row["dtype"], row["quantization"], row["fingerprint"] or "", choices)


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
        wall_clocks=tuple(
            WallClock(from_seconds, moment_of(text)) for from_seconds, text in sorted(json.loads(row["wall_clocks"]))
        ),
        identity_json=row["identity"],
        video_stream=row["video_stream"],
        other_names=tuple(json.loads(row["other_names"])),
        version=_version_of(row),
    )
