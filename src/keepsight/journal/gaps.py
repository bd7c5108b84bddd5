"""The gaps of a journal: what was not seen of a stream."""

import sqlite3

from keepsight.errors import JournalError
from keepsight.journal.database import Database
from keepsight.journal.records import GapRecord
from keepsight.spans import Span

_INSERT = "INSERT INTO gaps (stream_id, start_seconds, end_seconds, reason) VALUES (?, ?, ?, ?)"


class GapTable:
    """What was not seen of a stream, and why.

    A gap is noted when it begins and extended while it lasts, so that it is there after a crash in the middle of it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, gap: GapRecord) -> None:
        """Store a gap that is over.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._database.write(_INSERT, (gap.stream_id, gap.span.start_seconds, gap.span.end_seconds, gap.reason))

    def begin(self, stream_id: str, start_seconds: float, reason: str) -> int:
        """Store a gap that begins, of no length yet.

        Returns:
            Its id, for `extend`.

        Raises:
            JournalWriteError: the disk refused, or there is no such stream.
            SettingError: the start is negative.
        """
        span = Span(start_seconds, start_seconds)
        return self._database.insert(_INSERT, (stream_id, span.start_seconds, span.end_seconds, reason))

    def extend(self, gap_id: int, end_seconds: float, reason: str | None = None) -> None:
        """Say that a gap lasts until a time at least; one before its present end leaves it as it is.

        Args:
            gap_id: what `begin` returned.
            end_seconds: nothing was seen up to here.
            reason: another reason than the one it began with; None keeps that.

        Raises:
            JournalError: there is no such gap.
            JournalWriteError: the disk refused.
        """
        if not self._database.write(
            "UPDATE gaps SET end_seconds = max(end_seconds, ?), reason = coalesce(?, reason) WHERE id = ?",
            (end_seconds, reason, gap_id),
        ):
            raise JournalError(f"the journal {self._database.path} has no gap {gap_id}")

    def of(self, stream_id: str) -> list[GapRecord]:
        """The gaps of a stream, in time order."""
        rows = self._database.read("SELECT * FROM gaps WHERE stream_id = ? ORDER BY start_seconds, id", (stream_id,))
        return [_gap_of(row) for row in rows]

    def overlapping(self, stream_id: str, start_seconds: float, end_seconds: float) -> list[GapRecord]:
        """The gaps that share some time with a span, in time order.

        To touch at an end is not to overlap, unless the gap or the span is a single moment, which counts as inside
        when it lies on an end.

        Raises:
            SettingError: the span does not run forward from 0 or later.
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
