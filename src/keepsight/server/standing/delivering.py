"""Threads that hand alerts to webhooks, again and again until they are taken, or for a day.

What is to be sent, and when, stands in the journal: a restart goes on with it. An alert may come twice where the end
of an attempt could not be written down; its delivery id is then the same.
"""

import logging
import random
import threading
import time

from keepsight.errors import DeliveryError, KeepsightError
from keepsight.journal import Journal
from keepsight.journal.standing_records import Delivery
from keepsight.server.standing.sending import Sender
from keepsight.sources.backoff import Backoff

logger = logging.getLogger(__name__)

DEFAULT_BACKOFF = Backoff(first_seconds=2.0, longest_seconds=3600.0)

NUM_THREADS = 4
"""Receivers that are sent to at a time; each question's own one at a time."""

_LOOK_SECONDS = 30.0  # another program may have stored an alert
_RETRY_SECONDS = 5.0
_PATIENCE_SECONDS = 5.0


class Deliverer:
    """Sends what waits.

    Args:
        journal: has the deliveries.
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
        """Begin."""
        for thread in self._threads:
            thread.start()

    def look(self) -> None:
        """From any thread: there may be something new to send."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """End. An attempt that takes long is left alone: the next server makes it again."""
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
                logger.warning("webhooks wait: %s", error)
                self._rest(_RETRY_SECONDS)
            except Exception:  # the thread's last resort
                logger.exception("a webhook could not be sent to")
                self._rest(_RETRY_SECONDS)

    def _wait_for_one(self) -> Delivery | None:
        """What has been due longest, taken so that no other thread takes it; None where it is time to look again."""
        with self._changed:
            if self._is_ending:
                return None
            now = time.time()
            delivery = self._journal.deliveries.next_due(now, self._busy_questions)
            if delivery is not None:
                self._busy_questions.add(delivery.alert.question_id)
                return delivery
            self._changed.wait(self._seconds_until_next(now))
            return None

    def _seconds_until_next(self, now: float) -> float:
        """What is due already is another thread's, which says when it is done."""
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
            logger.warning("alert %s of question %s is given up: %s", delivery.alert.id, question_id, problem)
            self._journal.deliveries.given_up(delivery, problem)
        else:
            logger.info("alert %s of question %s is sent again later: %s", delivery.alert.id, question_id, problem)
            self._journal.deliveries.failed(delivery, next_time, problem)

    def _rest(self, seconds: float) -> None:
        with self._changed:
            if not self._is_ending:
                self._changed.wait(seconds)
