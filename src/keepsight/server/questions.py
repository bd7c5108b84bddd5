"""Questions being answered: so many at a time, in pieces where they are wanted, each stored once it is whole."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from keepsight.answering import AnswerStream, ask
from keepsight.errors import KeepsightError
from keepsight.journal import StreamRecord
from keepsight.server.events import event_text
from keepsight.server.failures import UNFORESEEN
from keepsight.server.limits import Slots
from keepsight.server.streams import StreamService
from keepsight.server.views import NewQuestion, answer_view, citation_view

logger = logging.getLogger(__name__)


class QuestionDesk:
    """Answers questions about the streams of a service.

    Args:
        service: has model and journal.
        max_in_flight: questions being answered at a time.
    """

    def __init__(self, service: StreamService, max_in_flight: int) -> None:
        self._service = service
        self._slots = Slots(max_in_flight, "questions are being answered")

    @property
    def num_in_flight(self) -> int:
        """Questions being answered."""
        return self._slots.num_taken

    def begin(self, question: NewQuestion) -> tuple[StreamRecord, AnswerStream]:
        """Take a place and settle what the model is given; `finish` or `events` gives the place back.

        Raises:
            EmptyJournalError, PromptTooLongError, SettingError: as for `answering.ask`.
            HTTPException: 404, there is no such stream; 429, too many questions are being answered.
        """
        stream = self._service.get(question.stream_id)
        self._slots.take()
        try:
            return stream, ask(
                self._service.model,
                self._service.journal,
                stream,
                question.question,
                ask_seconds=question.at_seconds,
                settings=self._service.settings,
                live_frames=self._service.pending_frames(stream.id) if question.live else (),
            )
        except BaseException:
            self._slots.give_back()
            raise

    def finish(self, stream: AnswerStream, tell: Callable[[str], None] = lambda _: None) -> None:
        """Have the whole answer made and stored, telling its pieces.

        Raises:
            JournalWriteError: it could not be stored.
            ModelError: it could not be made.
        """
        try:
            for piece in stream:
                tell(piece)
        finally:
            self._slots.give_back()

    def events(self, record: StreamRecord, stream: AnswerStream) -> AsyncGenerator[str, None]:
        """Server-sent events of an answer: `citations`, then `piece` by `piece`, then the whole `answer`, or `error`.

        The answer is made to its end and stored although the asker may go, even before the first event. Called in the
        event loop in which the events are wanted.
        """
        told: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(told.put_nowait, text)

        citations = [citation_view(citation).model_dump() for citation in stream.citations]
        tell(event_text("citations", {"stream_id": record.id, "citations": citations}))
        threading.Thread(target=self._answer, args=(record, stream, tell), name="keepsight-answer", daemon=True).start()
        return _told(told)

    def _answer(self, record: StreamRecord, stream: AnswerStream, tell: Callable[[str], None]) -> None:
        """Tell the events of an answer, and an empty text after the last."""
        try:
            self.finish(stream, lambda piece: tell(event_text("piece", {"text": piece})))
            tell(event_text("answer", answer_view(record.id, stream.answer)))
        except KeepsightError as error:
            tell(event_text("error", {"error": {"message": str(error)}}))
        except BaseException:  # the thread's last resort
            logger.exception("a question about stream %s failed", record.id)
            tell(event_text("error", {"error": {"message": UNFORESEEN}}))
        tell("")


async def _told(told: "asyncio.Queue[str]") -> AsyncGenerator[str, None]:
    """What is told, up to an empty text."""
    while text := await told.get():
        yield text
