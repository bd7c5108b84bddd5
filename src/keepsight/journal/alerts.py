"""Alerts of standing questions, and their deliveries to webhooks."""

import math
import secrets
import sqlite3
import time
from collections.abc import Collection
from datetime import UTC, datetime

from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.records import CaptionRecord
from keepsight.journal.standing_records import Alert, Delivery, DeliveryState, StandingQuestion, Webhook
from keepsight.spans import Span

MOST_ALERTS = 10_000
"""Alerts kept per question; older ones are removed."""

GIVE_UP_SECONDS = 24 * 3600.0
"""How long to retry a webhook."""

ALERT_COLUMNS = "alerts.*, standing_questions.question, deliveries.state AS delivery"
"""Columns of `ALERT_TABLES` that `alert_of` needs."""

ALERT_TABLES = (
    "alerts JOIN standing_questions ON standing_questions.id = question_id "
    "LEFT JOIN deliveries ON deliveries.alert_id = alerts.id"
)


class AlertTable:
    """Alerts in order of storing; deleted with their question or stream."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, question: StandingQuestion, clip: CaptionRecord) -> int:
        """Store an alert, and its delivery if the question has a webhook; return its id.

        Called only by `StandingTable.advance`, in the transaction that stores the position, so each alert is stored
        once.

        Raises:
            JournalWriteError: writing failed.
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
        """Alerts of one stream, or all, with an id above `alert_id`, oldest first."""
        of_stream = "" if stream_id is None else "AND alerts.stream_id = :stream_id"
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS} FROM {ALERT_TABLES} WHERE alerts.id > :after {of_stream} "
            "ORDER BY alerts.id LIMIT :limit",
            {"after": alert_id, "stream_id": stream_id, "limit": limit},
        )
        return [alert_of(row) for row in rows]

    def newest_id(self) -> int:
        """Id of the newest alert; 0 if there is none."""
        return int(self._database.read("SELECT coalesce(max(id), 0) FROM alerts")[0][0])


def alert_of(row: sqlite3.Row) -> Alert:
    """Alert of a row of `ALERT_TABLES`."""
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


class DeliveryTable:
    """Pending deliveries; stored with their alerts, and kept until delivered or too old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_due(
        self,
        now_unix_seconds: float,
        busy_questions: Collection[str] = (),
        latest_unix_seconds: float = math.inf,
    ) -> Delivery | None:
        """Delivery that has been due longest, of a question that is not busy; None if none is due.

        Args:
            now_unix_seconds: the wall clock.
            busy_questions: questions to skip.
            latest_unix_seconds: later times count as due, since the wall clock was set back.
        """
        places = ", ".join("?" * len(busy_questions))
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS}, webhook_url, webhook_secret, delivery_id, num_attempts, give_up_unix_seconds "
            f"FROM {ALERT_TABLES} WHERE deliveries.state = 'waiting' "
            "AND (next_unix_seconds <= ? OR next_unix_seconds > ?) "
            f"AND question_id NOT IN ({places}) ORDER BY next_unix_seconds, alerts.id LIMIT 1",
            (now_unix_seconds, latest_unix_seconds, *busy_questions),
        )
        if not rows:
            return None
        row = rows[0]
        return Delivery(
            id=row["delivery_id"],
            alert=alert_of(row),
            webhook=Webhook(row["webhook_url"], row["webhook_secret"]),
            num_attempts=row["num_attempts"],
            give_up_unix_seconds=row["give_up_unix_seconds"],
        )

    def next_time(self) -> float | None:
        """Unix time of the next attempt; None if nothing is pending."""
        (row,) = self._database.read("SELECT min(next_unix_seconds) FROM deliveries WHERE state = 'waiting'")
        return None if row[0] is None else float(row[0])

    def done(self, delivery: Delivery) -> None:
        """Mark as delivered.

        Raises:
            JournalWriteError: writing failed.
        """
        self._end(delivery, DeliveryState.DELIVERED, "")

    def given_up(self, delivery: Delivery, problem: str) -> None:
        """Mark as given up.

        Raises:
            JournalWriteError: writing failed.
        """
        self._end(delivery, DeliveryState.GIVEN_UP, problem)

    def failed(self, delivery: Delivery, next_unix_seconds: float, problem: str) -> None:
        """Schedule a retry.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(
            "UPDATE deliveries SET num_attempts = num_attempts + 1, next_unix_seconds = ?, problem = ? "
            "WHERE alert_id = ?",
            (next_unix_seconds, problem, delivery.alert.id),
        )

    def last_problem(self, question_id: str) -> str:
        """Last failure of a question's deliveries, pending or given up; may be empty."""
        rows = self._database.read(
            "SELECT problem FROM deliveries JOIN alerts ON alerts.id = alert_id "
            "WHERE question_id = ? AND state != 'delivered' AND problem != '' ORDER BY alert_id DESC LIMIT 1",
            (question_id,),
        )
        return str(rows[0]["problem"]) if rows else ""

    def _end(self, delivery: Delivery, state: DeliveryState, problem: str) -> None:
        self._database.write(
            "UPDATE deliveries SET state = ?, problem = ?, num_attempts = num_attempts + 1 WHERE alert_id = ?",
            (state.value, problem, delivery.alert.id),
        )
