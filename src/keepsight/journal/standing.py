"""The standing questions of a journal, how far each stream was checked, and the alerts."""

import secrets
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.records import CaptionRecord
from keepsight.journal.standing_records import (
    Alert,
    CheckMethod,
    DeliveryState,
    Progress,
    StandingQuestion,
    Tally,
    Webhook,
)
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

_DUE = """
SELECT
    standing_questions.*, streams.id AS of_stream, streams.next_clip_index AS end_clip_index,
    coalesce(standing_progress.next_clip_index, 0) AS next_clip_index, coalesce(was_true, 0) AS was_true,
    last_alert_seconds
FROM standing_questions
JOIN streams ON standing_questions.stream_id IS NULL OR standing_questions.stream_id = streams.id
LEFT JOIN standing_progress ON question_id = standing_questions.id AND standing_progress.stream_id = streams.id
WHERE streams.next_clip_index > coalesce(standing_progress.next_clip_index, 0)
ORDER BY standing_questions.rowid, streams.rowid
"""


@dataclass(frozen=True)
class Step:
    """What a check came to.

    Attributes:
        next_clip_index: where checking goes on.
        is_true: whether it is so now.
        num_checked, num_skipped: clips that this step is about.
        alert: the clip in which it became so and of which is told; None for none.
    """

    next_clip_index: int
    is_true: bool
    num_checked: int = 0
    num_skipped: int = 0
    alert: CaptionRecord | None = None


class StandingTable:
    """Questions that new captions are checked against. An alert is stored with the position that was checked, once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        question: str,
        *,
        stream_id: str | None = None,
        method: CheckMethod = CheckMethod.MODEL,
        cooldown_seconds: float = 0.0,
        webhook: Webhook | None = None,
    ) -> StandingQuestion:
        """Store a question under a new random id. Clips that there are already are not checked.

        Raises:
            JournalWriteError: the disk refused, or there is no such stream.
            SettingError: the question is blank or the cool-down negative.
        """
        moment = datetime.now(UTC)
        record = StandingQuestion(secrets.token_hex(8), stream_id, question, method, cooldown_seconds, moment, webhook)
        with self._database.transaction():
            self._database.write(
                "INSERT INTO standing_questions (id, stream_id, question, method, cooldown_seconds, created_at, "
                "webhook_url, webhook_secret) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.id,
                    stream_id,
                    question,
                    method.value,
                    cooldown_seconds,
                    moment.isoformat(),
                    webhook.url if webhook else None,
                    webhook.secret if webhook else None,
                ),
            )
            self._database.write(
                "INSERT INTO standing_progress (question_id, stream_id, next_clip_index) "
                "SELECT ?, id, next_clip_index FROM streams WHERE coalesce(?, id) = id",
                (record.id, stream_id),
            )
        return record

    def remove(self, question_id: str) -> bool:
        """Remove a question with its alerts; whether there was one."""
        return self._database.write("DELETE FROM standing_questions WHERE id = ?", (question_id,)) > 0

    def get(self, question_id: str) -> StandingQuestion | None:
        """The question with an id, or None."""
        rows = self._database.read("SELECT * FROM standing_questions WHERE id = ?", (question_id,))
        return _question_of(rows[0]) if rows else None

    def all(self) -> list[StandingQuestion]:
        """All questions, in the order in which they were added."""
        return [_question_of(row) for row in self._database.read("SELECT * FROM standing_questions ORDER BY rowid")]

    def count(self) -> int:
        """How many questions there are."""
        return int(self._database.read("SELECT count(*) FROM standing_questions")[0][0])

    def tally(self, question_id: str) -> Tally:
        """What was done for a question so far."""
        (row,) = self._database.read(
            "SELECT coalesce(sum(num_checked), 0), coalesce(sum(num_skipped), 0), "
            "(SELECT count(*) FROM alerts WHERE question_id = :id) FROM standing_progress WHERE question_id = :id",
            {"id": question_id},
        )
        return Tally(*row)

    def due(self) -> list[Progress]:
        """Each question with each of its streams that has clips which were not checked."""
        return [
            Progress(
                _question_of(row),
                row["of_stream"],
                row["next_clip_index"],
                row["end_clip_index"],
                bool(row["was_true"]),
                row["last_alert_seconds"],
            )
            for row in self._database.read(_DUE)
        ]

    def advance(self, progress: Progress, step: Step) -> int | None:
        """Store what a check came to: the new position, and the alert if there is one, both or neither.

        Nothing happens where somebody else has moved on from there, or question or stream are gone.

        Returns:
            The alert's id, None where there is none.

        Raises:
            JournalWriteError: the disk refused.
        """
        question, stream_id = progress.question, progress.stream_id
        with self._database.transaction():
            self._database.write(
                "INSERT OR IGNORE INTO standing_progress (question_id, stream_id) "
                "SELECT standing_questions.id, streams.id FROM standing_questions, streams "
                "WHERE standing_questions.id = ? AND streams.id = ?",
                (question.id, stream_id),
            )
            is_ours = self._database.write(
                "UPDATE standing_progress SET next_clip_index = ?, was_true = ?, num_checked = num_checked + ?, "
                "num_skipped = num_skipped + ?, last_alert_seconds = coalesce(?, last_alert_seconds) "
                "WHERE question_id = ? AND stream_id = ? AND next_clip_index = ?",
                (
                    step.next_clip_index,
                    int(step.is_true),
                    step.num_checked,
                    step.num_skipped,
                    step.alert.span.start_seconds if step.alert else None,
                    question.id,
                    stream_id,
                    progress.next_clip_index,
                ),
            )
            return self._add_alert(question, step.alert) if is_ours and step.alert else None

    def alerts(self, question_id: str, *, before: int | None = None, limit: int = 100) -> list[Alert]:
        """Alerts of a question with an id below `before`, newest first."""
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS} FROM {ALERT_TABLES} WHERE question_id = ? AND alerts.id < ? "
            "ORDER BY alerts.id DESC LIMIT ?",
            (question_id, 2**62 if before is None else before, limit),
        )
        return [alert_of(row) for row in rows]

    def alerts_after(self, alert_id: int, limit: int, *, stream_id: str | None = None) -> list[Alert]:
        """Alerts of one stream, or all, with an id above one, oldest first."""
        of_stream = "" if stream_id is None else "AND alerts.stream_id = :stream_id"
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS} FROM {ALERT_TABLES} WHERE alerts.id > :after {of_stream} "
            "ORDER BY alerts.id LIMIT :limit",
            {"after": alert_id, "stream_id": stream_id, "limit": limit},
        )
        return [alert_of(row) for row in rows]

    def newest_alert_id(self) -> int:
        """The id of the newest alert of all, 0 without one."""
        return int(self._database.read("SELECT coalesce(max(id), 0) FROM alerts")[0][0])

    def _add_alert(self, question: StandingQuestion, clip: CaptionRecord) -> int:
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


def _question_of(row: sqlite3.Row) -> StandingQuestion:
    url = row["webhook_url"]
    return StandingQuestion(
        id=row["id"],
        stream_id=row["stream_id"],
        question=row["question"],
        method=CheckMethod(row["method"]),
        cooldown_seconds=row["cooldown_seconds"],
        created_at=moment_of(row["created_at"]),
        webhook=None if url is None else Webhook(url, row["webhook_secret"]),
    )
