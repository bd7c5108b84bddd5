"""Questions being answered: so many at a time, in pieces where they are wanted, each stored once it is whole."""

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from keepsight.answering import AnswerStream, ask
from keepsight.errors import KeepsightError
from keepsight.journal import StreamRecord
from keepsight.server.access.limits import Slots
from keepsight.server.events.answer_events import AnswerEvents, AnswerWording
from keepsight.server.failures import UNFORESEEN, status_of
from keepsight.server.streams.service import StreamService
from keepsight.server.views.requests import NewQuestion

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
        self._begun: dict[AnswerStream, tuple[str, float]] = {}

    @property
    def num_in_flight(self) -> int:
        """Questions being answered."""
        return self._slots.num_taken

    def begin(self, question: NewQuestion, max_answer_tokens: int | None = None) -> tuple[StreamRecord, AnswerStream]:
        """Take a place and settle what the model is given; `finish` or `events` gives the place back.

        Args:
            question: what is asked of which stream.
            max_answer_tokens: longest answer where it is less than what the settings and the model allow.

        Raises:
            EmptyJournalError, PromptTooLongError, SettingError: as for `answering.ask`.
            HTTPException: 404, there is no such stream; 429, too many questions are being answered.
        """
        stream, settings = self._service.get(question.stream_id), self._service.settings
        if max_answer_tokens is not None:
            settings = replace(settings, max_answer_tokens=min(settings.max_answer_tokens, max_answer_tokens))
        self._slots.take()
        began = time.monotonic()
        try:
            answer = ask(
                self._service.model,
                self._service.journal,
                stream,
                question.question,
                ask_seconds=question.at_seconds,
                settings=settings,
                live_frames=self._service.runs.pending_frames(stream.id) if question.live else (),
            )
        except BaseException:
            self._slots.give_back()
            raise
        self._begun[answer] = (stream.id, began)
        return stream, answer

    def finish(self, stream: AnswerStream, tell: Callable[[str], None] = lambda _: None) -> None:
        """Have the whole answer made and stored, telling its pieces.

        Raises:
            JournalWriteError: it could not be stored.
            ModelError: it could not be made.
        """
        (stream_id, began), text = self._begun.pop(stream), None
        try:
            for piece in stream:
                tell(piece)
            text = stream.answer.text
        finally:
            self._slots.give_back()
            self._service.observers.answered(stream_id, time.monotonic() - began, text)

    def events(
        self, record: StreamRecord, stream: AnswerStream, wording: AnswerWording | None = None
    ) -> AsyncGenerator[str, None]:
        """Server-sent events of an answer: `citations`, then `piece` by `piece`, then the whole `answer`, or `error`.

        The answer is made to its end and stored although the asker may go, even before the first event. Called in the
        event loop in which the events are wanted, and within the request: what observers are told belongs to it.

        Args:
            record: what is asked about.
            stream: the answer.
            wording: how the events are written, if otherwise than that.
        """
        told: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(told.put_nowait, text)

        words = wording or AnswerEvents(record.id)
        tell(words.first(stream))
        work = partial(contextvars.copy_context().run, self._answer, record, stream, words, tell)
        threading.Thread(target=work, name="keepsight-answer", daemon=True).start()
        return _told(told)

    def _answer(
        self, record: StreamRecord, stream: AnswerStream, words: AnswerWording, tell: Callable[[str], None]
    ) -> None:
        """Tell the events of an answer, and an empty text after the last."""

        def tell_piece(piece: str) -> None:
            if text := words.piece(piece):
                tell(text)

        try:
            self.finish(stream, tell_piece)
            tell(words.last(stream))
        except KeepsightError as error:
            tell(words.failed(str(error), status_of(error)))
        except BaseException:  # the thread's last resort
            logger.exception("a question about stream %s failed", record.id)
            tell(words.failed(UNFORESEEN, HTTPStatus.INTERNAL_SERVER_ERROR))
        tell("")


async def _told(told: "asyncio.Queue[str]") -> AsyncGenerator[str, None]:
    """What is told, up to an empty text."""
    while text := await told.get():
        yield text
