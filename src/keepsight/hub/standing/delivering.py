"""Threads that deliver alerts to webhooks, retrying for up to a day.

The journal holds what to send and when, so a restart resumes. An alert may be delivered twice if the outcome of an
attempt could not be stored; both have the same delivery id.
"""

import logging
import random
import threading
import time

from keepsight.errors import DeliveryError, KeepsightError
from keepsight.hub.standing.sending import Sender
from keepsight.journal import Journal
from keepsight.journal.standing_records import Delivery
from keepsight.sources.backoff import Backoff

logger = logging.getLogger(__name__)

DEFAULT_BACKOFF = Backoff(first_seconds=2.0, longest_seconds=3600.0)

NUM_THREADS = 4
"""Concurrent receivers; at most one delivery per question at a time."""

_LOOK_SECONDS = 30.0  # another program may have stored an alert
_RETRY_SECONDS = 5.0
_PATIENCE_SECONDS = 5.0


class Deliverer:
    """Sends pending deliveries.

    Args:
        journal: holds the deliveries.
        sender: makes one attempt.
        backoff: waits between attempts.
    """

    def __init__(self, journal: Journal, sender: Sender, backoff: Backoff = DEFAULT_BACKOFF) -> None:
        self._journal = journal
        self._sender = sender
        self._backoff = backoff
        self._draw = random.Random()
        self._changed = threading.Condition()
        self._busy_questions: set[str] = set()
        self._is_ending = False
        self._threads = [
            threading.Thread(target=self._work, name=f"keepsight-webhook-{number}", daemon=True)
            for number in range(NUM_THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def look(self) -> None:
        """Look for new deliveries. Thread-safe."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop. A running attempt is abandoned; the next server repeats it."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        ends = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - time.monotonic()))

    def _work(self) -> None:
        while not self._is_ending:
            try:
                delivery = self._wait_for_one()
                if delivery is not None:
                    try:
                        self._attempt(delivery)
                    finally:
                        self._let_go(delivery)
            except KeepsightError as error:
                if self._is_ending:
                    return
                logger.warning("webhooks paused: %s", error)
                self._rest(_RETRY_SECONDS)
            except Exception:  # last resort of the thread
                logger.exception("webhook delivery failed")
                self._rest(_RETRY_SECONDS)

    def _wait_for_one(self) -> Delivery | None:
        """Claim the delivery that has been due longest; None if it is time to look again."""
        with self._changed:
            if self._is_ending:
                return None
            now = time.time()
            latest = now + self._backoff.longest_seconds  # a longer wait means that the system clock was set back
            delivery = self._journal.deliveries.next_due(now, self._busy_questions, latest)
            if delivery is not None:
                self._busy_questions.add(delivery.alert.question_id)
                return delivery
            self._changed.wait(self._seconds_until_next(now))
            return None

    def _seconds_until_next(self, now: float) -> float:
        """Seconds to wait; deliveries already due belong to other threads, which notify when done."""
        soonest = self._journal.deliveries.next_time()
        if soonest is None or soonest <= now:
            return _LOOK_SECONDS
        return min(_LOOK_SECONDS, soonest - now)

    def _let_go(self, delivery: Delivery) -> None:
        with self._changed:
            self._busy_questions.discard(delivery.alert.question_id)
            self._changed.notify_all()

    def _attempt(self, delivery: Delivery) -> None:
        try:
            self._sender.send(delivery)
        except DeliveryError as error:
            self._put_off(delivery, str(error))
        else:
            self._journal.deliveries.done(delivery)

    def _put_off(self, delivery: Delivery, problem: str) -> None:
        now = time.time()
        next_time = now + self._backoff.wait_seconds(delivery.num_attempts, self._draw)
        question_id = delivery.alert.question_id
        if next_time > delivery.give_up_unix_seconds:
            logger.warning(
                "gave up on webhook for alert %s of question %s: %s", delivery.alert.id, question_id, problem
            )
            self._journal.deliveries.given_up(delivery, problem)
        else:
            logger.info("will retry webhook for alert %s of question %s: %s", delivery.alert.id, question_id, problem)
            self._journal.deliveries.failed(delivery, next_time, problem)

    def _rest(self, seconds: float) -> None:
        with self._changed:
            if not self._is_ending:
                self._changed.wait(seconds)
