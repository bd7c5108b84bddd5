"""The alerts of a journal: what became so of standing questions, and when."""

import secrets
import sqlite3
import time
from datetime import UTC, datetime

from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.records import CaptionRecord
from keepsight.journal.standing_records import Alert, DeliveryState, StandingQuestion
from keepsight.spans import Span

MOST_ALERTS = 10_000
"""Alerts that are kept of a question; older ones go."""

GIVE_UP_SECONDS = 24 * 3600.0
"""How long a webhook is tried."""

ALERT_COLUMNS = "alerts.*, standing_questions.question, deliveries.state AS delivery"
"""What `alert_of` needs of `ALERT_TABLES`."""

ALERT_TABLES = (
    "alerts JOIN standing_questions ON standing_questions.id = question_id "
    "LEFT JOIN deliveries ON deliveries.alert_id = alerts.id"
)


class AlertTable:
    """Alerts in the order in which they came; they go with their question or stream."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, question: StandingQuestion, clip: CaptionRecord) -> int:
        """Store that it became so in a clip, and that it is to be sent where the question has a webhook; its id.

        Called by `StandingTable.advance` alone, in the transaction that stores the position, so that each comes once.

        Raises:
            JournalWriteError: the disk refused.
        """
        alert_id = self._database.insert(
            "INSERT INTO alerts (question_id, stream_id, clip_index, start_seconds, end_seconds, caption, alerted_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                question.id,
                clip.stream_id,
                clip.clip_index,
                clip.span.start_seconds,
                clip.span.end_seconds,
                clip.caption,
                datetime.now(UTC).isoformat(),
            ),
        )
        if question.webhook is not None:
            now = time.time()
            self._database.write(
                "INSERT INTO deliveries (alert_id, delivery_id, next_unix_seconds, give_up_unix_seconds) "
                "VALUES (?, ?, ?, ?)",
                (alert_id, secrets.token_hex(16), now, now + GIVE_UP_SECONDS),
            )
        self._database.write(
            "DELETE FROM alerts WHERE question_id = :id AND id <= "
            "(SELECT id FROM alerts WHERE question_id = :id ORDER BY id DESC LIMIT 1 OFFSET :most)",
            {"id": question.id, "most": MOST_ALERTS},
        )
        return alert_id

    def of(self, question_id: str, *, before: int | None = None, limit: int = 100) -> list[Alert]:
        """Alerts of a question with an id below `before`, newest first."""
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS} FROM {ALERT_TABLES} WHERE question_id = ? AND alerts.id < ? "
            "ORDER BY alerts.id DESC LIMIT ?",
            (question_id, 2**62 if before is None else before, limit),
        )
        return [alert_of(row) for row in rows]

    def newest(self, limit: int, *, stream_id: str | None = None, before: int | None = None) -> list[Alert]:
        """Alerts of one stream, or all, with an id below `before`, newest first."""
        of_stream = "" if stream_id is None else "AND alerts.stream_id = :stream_id"
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS} FROM {ALERT_TABLES} WHERE alerts.id < :before {of_stream} "
            "ORDER BY alerts.id DESC LIMIT :limit",
            {"before": 2**62 if before is None else before, "stream_id": stream_id, "limit": limit},
        )
        return [alert_of(row) for row in rows]

    def after(self, alert_id: int, limit: int, *, stream_id: str | None = None) -> list[Alert]:
        """Alerts of one stream, or all, with an id above one, oldest first."""
        of_stream = "" if stream_id is None else "AND alerts.stream_id = :stream_id"
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS} FROM {ALERT_TABLES} WHERE alerts.id > :after {of_stream} "
            "ORDER BY alerts.id LIMIT :limit",
            {"after": alert_id, "stream_id": stream_id, "limit": limit},
        )
        return [alert_of(row) for row in rows]

    def newest_id(self) -> int:
        """The id of the newest alert of all, 0 without one."""
        return int(self._database.read("SELECT coalesce(max(id), 0) FROM alerts")[0][0])


def alert_of(row: sqlite3.Row) -> Alert:
    """The alert of a row of `ALERT_TABLES`."""
    return Alert(
        id=row["id"],
        question_id=row["question_id"],
        question=row["question"],
        stream_id=row["stream_id"],
        clip_index=row["clip_index"],
        span=Span(row["start_seconds"], row["end_seconds"]),
        caption=row["caption"],
        alerted_at=moment_of(row["alerted_at"]),
        delivery=None if row["delivery"] is None else DeliveryState(row["delivery"]),
    )
