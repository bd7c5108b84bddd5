"""Gaps of a journal: spans of a stream that were not watched."""

import sqlite3
from dataclasses import dataclass

from keepsight.errors import JournalError
from keepsight.journal.database import Database
from keepsight.journal.records import GapRecord
from keepsight.spans import Span

_INSERT = "INSERT INTO gaps (stream_id, start_seconds, end_seconds, reason) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True)
class StoredGap:
    """A stored gap that can be changed."""

    id: int
    start_seconds: float
    end_seconds: float
    reason: str


class GapTable:
    """Spans that were not watched, and why.

    A gap is stored when it begins and extended while it lasts, so it survives a crash.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, gap: GapRecord) -> None:
        """Store a finished gap.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(_INSERT, (gap.stream_id, gap.span.start_seconds, gap.span.end_seconds, gap.reason))

    def begin(self, stream_id: str, start_seconds: float, reason: str, until_seconds: float | None = None) -> StoredGap:
        """Store a gap in progress.

        Args:
            stream_id: the stream.
            start_seconds: start of the gap.
            reason: why, in one line.
            until_seconds: its end so far; None for an empty gap.

        Returns:
            The gap, with the id for `extend` and `cut`.

        Raises:
            JournalWriteError: writing failed, or no such stream.
            SettingError: the start is negative, or after the end.
        """
        span = Span(start_seconds, start_seconds if until_seconds is None else until_seconds)
        gap_id = self._database.insert(_INSERT, (stream_id, span.start_seconds, span.end_seconds, reason))
        return StoredGap(gap_id, span.start_seconds, span.end_seconds, reason)

    def last(self, stream_id: str) -> StoredGap | None:
        """Gap of a stream that ends last; None if there is none."""
        rows = self._database.read(
            "SELECT * FROM gaps WHERE stream_id = ? ORDER BY end_seconds DESC, id DESC LIMIT 1", (stream_id,)
        )
        return (
            StoredGap(*(rows[0][name] for name in ("id", "start_seconds", "end_seconds", "reason"))) if rows else None
        )

    def extend(self, gap_id: int, end_seconds: float, reason: str | None = None) -> None:
        """Extend a gap to at least a time; an earlier time changes nothing.

        Args:
            gap_id: id from `begin`.
            end_seconds: new end.
            reason: new reason; None keeps the present one.

        Raises:
            JournalError: no such gap.
            JournalWriteError: writing failed.
        """
        if not self._database.write(
            "UPDATE gaps SET end_seconds = max(end_seconds, ?), reason = coalesce(?, reason) WHERE id = ?",
            (end_seconds, reason, gap_id),
        ):
            raise JournalError(f"the journal {self._database.path} has no gap {gap_id}")

    def forget_from(self, stream_id: str, start_seconds: float) -> None:
        """Remove gaps that begin at or after a time, since that part is watched again.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write("DELETE FROM gaps WHERE stream_id = ? AND start_seconds >= ?", (stream_id, start_seconds))

    def cut(self, gap_id: int, end_seconds: float) -> None:
        """Shorten a gap; one that would end before its start is removed.

        Args:
            gap_id: id from `begin`.
            end_seconds: new end.

        Raises:
            JournalWriteError: writing failed.
        """
        with self._database.transaction():
            self._database.write(
                "UPDATE gaps SET end_seconds = ? WHERE id = ? AND end_seconds > ? AND start_seconds < ?",
                (end_seconds, gap_id, end_seconds, end_seconds),
            )
            self._database.write("DELETE FROM gaps WHERE id = ? AND start_seconds >= ?", (gap_id, end_seconds))

    def of(self, stream_id: str) -> list[GapRecord]:
        """Gaps of a stream, in time order."""
        rows = self._database.read("SELECT * FROM gaps WHERE stream_id = ? ORDER BY start_seconds, id", (stream_id,))
        return [_gap_of(row) for row in rows]

    def overlapping(self, stream_id: str, start_seconds: float, end_seconds: float) -> list[GapRecord]:
        """Gaps that overlap a span, in time order.

        Touching at an end is not overlap, except that a gap or span of zero length overlaps at an end.

        Raises:
            SettingError: the span is not 0 <= start <= end.
        """
        span = Span(start_seconds, end_seconds)
        rows = self._database.read(
            "SELECT * FROM gaps WHERE stream_id = :stream_id AND start_seconds <= :end AND end_seconds >= :start "
            "AND (start_seconds = end_seconds OR :start = :end OR (start_seconds < :end AND end_seconds > :start)) "
            "ORDER BY start_seconds, id",
            {"stream_id": stream_id, "start": span.start_seconds, "end": span.end_seconds},
        )
        return [_gap_of(row) for row in rows]


def _gap_of(row: sqlite3.Row) -> GapRecord:
    return GapRecord(row["stream_id"], Span(row["start_seconds"], row["end_seconds"]), row["reason"])
