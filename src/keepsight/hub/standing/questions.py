"""Standing questions of a server: adding, removing, checking and alerting."""

from concurrent.futures import Future

from keepsight.errors import BusyError, SettingError
from keepsight.hub.limiter import Limiter
from keepsight.hub.signals import StreamSignals
from keepsight.hub.standing.checker import Checker
from keepsight.hub.standing.delivering import Deliverer
from keepsight.hub.standing.judging import Condition, Judge
from keepsight.hub.standing.sending import Sender, check_webhook, new_secret
from keepsight.hub.standing.wording import content_words
from keepsight.incoming import LONGEST_STANDING_QUESTION, checked_text
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import CheckMethod, StandingQuestion, Webhook
from keepsight.method.protocol import AnsweringModel
from keepsight.sources.network.guard import Guard


class StandingQuestions:
    """Checks every new caption against questions, and alerts when a condition turns true.

    Args:
        journal: holds captions, questions and alerts.
        model: judges captions.
        guard: checks webhook addresses.
        max_questions: limit of standing questions.
        signals: notified on new captions and alerts.

    Attributes:
        waiting: slots for callers that wait for `judge`, as many as the question limit.
    """

    def __init__(
        self,
        journal: Journal,
        model: AnsweringModel,
        guard: Guard,
        max_questions: int,
        signals: StreamSignals,
    ) -> None:
        self._journal = journal
        self._guard = guard
        self._max_questions = max_questions
        self._signals = signals
        self.waiting = Limiter(max_questions, "questions being waited for")
        self._judge = Judge(model, journal)
        self._checker = Checker(journal, self._judge, signals.any, self._alerted)
        self._deliverer = Deliverer(journal, Sender(guard))

    def start(self) -> None:
        """Start checking, and sending deliveries left by the last server."""
        self._checker.start()
        self._deliverer.start()

    def close(self) -> None:
        """Stop after the current check. Idempotent."""
        self._checker.stop()
        self._deliverer.stop()

    def add(
        self,
        question: str,
        *,
        stream_id: str | None = None,
        method: CheckMethod = CheckMethod.MODEL,
        cooldown_seconds: float = 0.0,
        webhook_url: str | None = None,
    ) -> StandingQuestion:
        """Add a question that is checked on every caption from now on.

        Args:
            question: as written by the user.
            stream_id: an existing stream; None for all, present and future.
            method: how captions are judged.
            cooldown_seconds: minimum stream time between two alerts.
            webhook_url: URL that alerts are posted to; creates a signing secret.

        Raises:
            AddressRefusedError: the webhook address is not allowed.
            BusyError: the limit is reached.
            SettingError: the question is not text, has no word to search for, or the cooldown is negative.
        """
        checked_text(question, "the question", longest=LONGEST_STANDING_QUESTION)
        if method is CheckMethod.WORDS and not content_words(question):
            raise SettingError("the question has no word to search captions for; name something visible")
        if webhook_url is not None:
            check_webhook(webhook_url, self._guard)
        webhook = None if webhook_url is None else Webhook(webhook_url, new_secret())
        with self._journal.transaction():
            self._check_room()
            added = self._journal.standing.add(
                question, stream_id=stream_id, method=method, cooldown_seconds=cooldown_seconds, webhook=webhook
            )
        self._signals.any.notify()
        return added

    def checked_for(self, question: StandingQuestion) -> str:
        """What the model is asked over each caption, or the words that a caption must have."""
        if question.method is CheckMethod.WORDS:
            return " ".join(content_words(question.question))
        return self._judge.prompt_of(question.question)

    def judge(self, question: str, clip: CaptionRecord) -> "Future[bool]":
        """Queue a clip to be judged by the model, for a caller that holds a slot in `waiting`.

        It takes its turn with the checks of standing questions, within their share of time, so any number of waiting
        callers does not slow down watching.

        Raises:
            ModelError: the server is shutting down.
        """
        return self._checker.judge(Condition(question), clip)

    def _check_room(self) -> None:
        if self._journal.standing.count() >= self._max_questions:
            raise _full(self._max_questions)

    def _alerted(self, stream_id: str) -> None:
        self._signals.notify(stream_id)
        self._deliverer.look()


def _full(most: int) -> BusyError:
    return BusyError(f"standing question limit reached ({most}); remove one first")
