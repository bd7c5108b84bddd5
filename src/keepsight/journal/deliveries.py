"""Which alerts of a journal are still to be sent to webhooks, and when."""

from collections.abc import Collection

from keepsight.journal.alerts import ALERT_COLUMNS, ALERT_TABLES, alert_of
from keepsight.journal.database import Database
from keepsight.journal.standing_records import Delivery, DeliveryState, Webhook


class DeliveryTable:
    """Deliveries are stored with their alerts and wait here until they are done or too old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_due(self, now_unix_seconds: float, busy_questions: Collection[str] = ()) -> Delivery | None:
        """The delivery that has been due longest, of a question that is not busy; None where none is due."""
        places = ", ".join("?" * len(busy_questions))
        rows = self._database.read(
            f"SELECT {ALERT_COLUMNS}, webhook_url, webhook_secret, delivery_id, num_attempts, give_up_unix_seconds "
            f"FROM {ALERT_TABLES} WHERE deliveries.state = 'waiting' AND next_unix_seconds <= ? "
            f"AND question_id NOT IN ({places}) ORDER BY next_unix_seconds, alerts.id LIMIT 1",
            (now_unix_seconds, *busy_questions),
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
        """Wall clock of the next attempt of all, in Unix seconds; None where nothing waits."""
        (row,) = self._database.read("SELECT min(next_unix_seconds) FROM deliveries WHERE state = 'waiting'")
        return None if row[0] is None else float(row[0])

    def done(self, delivery: Delivery) -> None:
        """It was taken.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._end(delivery, DeliveryState.DELIVERED, "")

    def given_up(self, delivery: Delivery, problem: str) -> None:
        """It failed for too long.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._end(delivery, DeliveryState.GIVEN_UP, problem)

    def failed(self, delivery: Delivery, next_unix_seconds: float, problem: str) -> None:
        """It is tried again at a time.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._database.write(
            "UPDATE deliveries SET num_attempts = num_attempts + 1, next_unix_seconds = ?, problem = ? "
            "WHERE alert_id = ?",
            (next_unix_seconds, problem, delivery.alert.id),
        )

    def last_problem(self, question_id: str) -> str:
        """What the newest attempt that failed for a question came to, while it waits or was given up; may be empty."""
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
