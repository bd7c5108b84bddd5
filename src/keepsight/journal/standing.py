"""Standing questions of a journal, and how far each stream was checked."""

import secrets
import sqlite3
from datetime import UTC, datetime

from keepsight.journal.alerts import AlertTable
from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.standing_records import CheckMethod, Progress, StandingQuestion, Step, Tally, Webhook

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


class StandingTable:
    """Questions checked on new captions. An alert is stored together with the checked position, so only once.

    Args:
        database: of the journal.
        alerts: table for alerts.
    """

    def __init__(self, database: Database, alerts: AlertTable) -> None:
        self._database = database
        self._alerts = alerts

    def add(
        self,
        question: str,
        *,
        stream_id: str | None = None,
        method: CheckMethod = CheckMethod.MODEL,
        cooldown_seconds: float = 0.0,
        webhook: Webhook | None = None,
    ) -> StandingQuestion:
        """Store a question under a new random id. Existing clips are not checked.

        Raises:
            JournalWriteError: writing failed, or no such stream.
            SettingError: the question is blank or the cooldown negative.
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
        """Remove a question with its alerts; return whether it existed."""
        return self._database.write("DELETE FROM standing_questions WHERE id = ?", (question_id,)) > 0

    def get(self, question_id: str) -> StandingQuestion | None:
        """Question by id, or None."""
        rows = self._database.read("SELECT * FROM standing_questions WHERE id = ?", (question_id,))
        return _question_of(rows[0]) if rows else None

    def all(self) -> list[StandingQuestion]:
        """All questions, oldest first."""
        return [_question_of(row) for row in self._database.read("SELECT * FROM standing_questions ORDER BY rowid")]

    def count(self) -> int:
        """Number of questions."""
        return int(self._database.read("SELECT count(*) FROM standing_questions")[0][0])

    def tally(self, question_id: str) -> Tally:
        """Statistics of a question."""
        (row,) = self._database.read(
            "SELECT coalesce(sum(num_checked), 0), coalesce(sum(num_skipped), 0), "
            "(SELECT count(*) FROM alerts WHERE question_id = :id) FROM standing_progress WHERE question_id = :id",
            {"id": question_id},
        )
        return Tally(*row)

    def due(self) -> list[Progress]:
        """Each question with each of its streams that has unchecked clips."""
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
        """Store a check's new position and its alert, if any, atomically.

        Does nothing if another checker has advanced from there, or question or stream are gone.

        Returns:
            The alert's id, or None.

        Raises:
            JournalWriteError: writing failed.
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
            return self._alerts.add(question, step.alert) if is_ours and step.alert else None


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
