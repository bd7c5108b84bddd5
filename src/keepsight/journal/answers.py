"""Questions and answers of a journal."""

import json

from keepsight.journal.database import Database
from keepsight.journal.encoding import moment_of
from keepsight.journal.records import AnswerRecord

PATIENCE_SECONDS = 5.0
"""Lock timeout for storing an answer, since a client waits for it."""


class AnswerTable:
    """Questions about each stream, with answers and cited clips."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, answer: AnswerRecord) -> None:
        """Store a question with its answer.

        Raises:
            JournalWriteError: writing failed, or another program held the lock for `PATIENCE_SECONDS`.
        """
        with self._database.transaction(PATIENCE_SECONDS):
            self._add(answer)

    def _add(self, answer: AnswerRecord) -> None:
        self._database.write(
            "INSERT INTO answers (stream_id, asked_at, ask_seconds, question, answer, cited_clips, "
            "num_captions_given, num_captions_left_out, answer_model, answer_url) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                answer.stream_id,
                answer.asked_at.isoformat(),
                answer.ask_seconds,
                answer.question,
                answer.answer,
                json.dumps(answer.cited_clips),
                answer.num_captions_given,
                answer.num_captions_left_out,
                answer.answer_model,
                answer.answer_url,
            ),
        )

    def of(self, stream_id: str) -> list[AnswerRecord]:
        """Answers of a stream, oldest first."""
        rows = self._database.read("SELECT * FROM answers WHERE stream_id = ? ORDER BY id", (stream_id,))
        return [
            AnswerRecord(
                stream_id=row["stream_id"],
                asked_at=moment_of(row["asked_at"]),
                ask_seconds=row["ask_seconds"],
                question=row["question"],
                answer=row["answer"],
                cited_clips=tuple(json.loads(row["cited_clips"])),
                num_captions_given=row["num_captions_given"],
                num_captions_left_out=row["num_captions_left_out"],
                answer_model=row["answer_model"],
                answer_url=row["answer_url"],
            )
            for row in rows
        ]
