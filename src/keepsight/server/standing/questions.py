"""The standing questions of a server: added and removed, checked and told while it runs."""

from concurrent.futures import Future

from starlette.exceptions import HTTPException

from keepsight.errors import SettingError
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import CheckMethod, StandingQuestion, Webhook
from keepsight.models.protocol import VideoModel
from keepsight.server.access.limits import Slots
from keepsight.server.events.bell import StreamBells
from keepsight.server.failures import too_many
from keepsight.server.standing.checker import Checker
from keepsight.server.standing.delivering import Deliverer
from keepsight.server.standing.judging import Condition, Judge
from keepsight.server.standing.sending import Sender, check_webhook
from keepsight.server.standing.signing import new_secret
from keepsight.server.standing.wording import content_words
from keepsight.sources.network.guard import Guard


class StandingQuestions:
    """Checks every new caption against questions, and tells what became so.

    Args:
        journal: has captions, questions and alerts.
        model: judges captions.
        guard: which hosts webhooks may be at.
        max_questions: most there may be.
        bells: ring when a stream has something new, be it a caption or an alert.

    Attributes:
        waiting: places of those who wait for a verdict of `judge`, as many as there may be questions.
    """

    def __init__(
        self,
        journal: Journal,
        model: VideoModel,
        guard: Guard,
        max_questions: int,
        bells: StreamBells,
    ) -> None:
        self._journal = journal
        self._guard = guard
        self._max_questions = max_questions
        self._bells = bells
        self.waiting = Slots(max_questions, "questions are being waited with")
        self._checker = Checker(journal, Judge(model, journal), bells.any, self._alerted)
        self._deliverer = Deliverer(journal, Sender(guard))

    @property
    def is_checking(self) -> bool:
        """Whether new captions are being checked."""
        return self._checker.is_alive

    def start(self) -> None:
        """Begin to check, and to send what the last server left unsent."""
        self._checker.start()
        self._deliverer.start()

    def close(self) -> None:
        """End after the check in work. A second call does nothing."""
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
        """Check every caption from now on.

        Args:
            question: as a user writes it.
            stream_id: of a stream that there is; None for all, those begun later too.
            method: how captions are judged.
            cooldown_seconds: of the stream, from one alert to the next at least.
            webhook_url: where alerts are sent to; a secret to sign them with is made.

        Raises:
            AddressRefusedError: alerts may not be sent there.
            HTTPException: 429, there are as many as there may be.
            SettingError: there is no word in it that a caption could have, or the cool-down is negative.
        """
        if method is CheckMethod.WORDS and not content_words(question):
            raise SettingError("the question has no word that a caption could be searched for; name what is to be seen")
        if webhook_url is not None:
            check_webhook(webhook_url, self._guard)
        webhook = None if webhook_url is None else Webhook(webhook_url, new_secret())
        with self._journal.transaction():
            self._check_room()
            added = self._journal.standing.add(
                question, stream_id=stream_id, method=method, cooldown_seconds=cooldown_seconds, webhook=webhook
            )
        self._bells.any.ring()
        return added

    def judge(self, question: str, clip: CaptionRecord) -> "Future[bool]":
        """Have the model judge one clip for somebody who has a place among those who wait.

        It comes in turn with the checks for standing questions and within their share of the time, so that however many
        wait, watching goes on.

        Raises:
            ModelError: the server is about to end.
        """
        return self._checker.judge(Condition(question), clip)

    def _check_room(self) -> None:
        """Raises 429 where there is no room."""
        if self._journal.standing.count() >= self._max_questions:
            raise _full(self._max_questions)

    def _alerted(self, stream_id: str) -> None:
        self._bells.ring(stream_id)
        self._deliverer.look()


def _full(most: int) -> HTTPException:
    return too_many(f"there are {most} standing questions, which is the most: remove one of them")
