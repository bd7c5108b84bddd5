"""Streaming of an answer as server-sent events."""

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Protocol

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from keepsight.asking.answering import AnswerStream
from keepsight.errors import KeepsightError
from keepsight.hub.questions import QuestionService
from keepsight.hub.states import UNFORESEEN
from keepsight.journal import StreamRecord
from keepsight.models.cancellation import Cancellation, cancellable
from keepsight.server.http.events.stream_events import event_text
from keepsight.server.http.failures import status_of
from keepsight.server.http.views.answers import CitationView, answer_view

logger = logging.getLogger(__name__)


class AnswerWording(Protocol):
    """Formats the events of one answer. Methods are called in order; each returns the text to send."""

    def first(self, stream: AnswerStream) -> str:
        """Start: the citations are known."""

    def piece(self, text: str) -> str:
        """Next piece of text; an empty result sends nothing."""

    def last(self, stream: AnswerStream) -> str:
        """End: the answer is complete and stored."""

    def failed(self, message: str, status: int) -> str:
        """Failure, in place of the rest: message and HTTP status."""


class AnswerEvents:
    """Events `citations`, `piece`s, then the whole `answer`, or `error`.

    Args:
        stream_id: stream of the question.
    """

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id

    def first(self, stream: AnswerStream) -> str:
        citations = [CitationView.model_validate(citation).model_dump() for citation in stream.citations]
        return event_text("citations", {"stream_id": self._stream_id, "citations": citations})

    def piece(self, text: str) -> str:
        return event_text("piece", {"text": text})

    def last(self, stream: AnswerStream) -> str:
        return event_text("answer", answer_view(self._stream_id, stream.answer))

    def failed(self, message: str, status: int) -> str:
        del status
        return event_text("error", {"error": {"message": message}})


def answer_events(
    questions: QuestionService, record: StreamRecord, stream: AnswerStream, wording: AnswerWording | None = None
) -> AsyncGenerator[str, None]:
    """Events of an answer in progress: `citations`, `piece`s, then the whole `answer`, or `error`.

    The model's answer is generated to its end and stored even if the client disconnects; an engine's request is
    cancelled then. Call it in the event loop and request that the events belong to, since observers attribute the
    answer to that request.

    Args:
        questions: started the answer.
        record: stream of the question.
        stream: the answer.
        wording: event format; None for `AnswerEvents`.
    """
    emitted: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def emit(text: str) -> None:
        with suppress(RuntimeError):  # the loop is closed: no client is left
            loop.call_soon_threadsafe(emitted.put_nowait, text)

    words = wording or AnswerEvents(record.id)
    gone = Cancellation()

    def emit_piece(piece: str) -> None:
        if text := words.piece(piece):
            emit(text)

    def work() -> None:
        try:
            with cancellable(gone):
                questions.finish(stream, emit_piece)
            emit(words.last(stream))
        except KeepsightError as error:
            emit(words.failed(str(error), status_of(error)))
        except BaseException:  # last resort of the thread
            logger.exception("a question about stream %s failed", record.id)
            emit(words.failed(UNFORESEEN, HTTPStatus.INTERNAL_SERVER_ERROR))
        emit("")

    emit(words.first(stream))
    threading.Thread(target=partial(contextvars.copy_context().run, work), name="keepsight-answer", daemon=True).start()
    return _until_empty(emitted, gone)


async def _until_empty(emitted: "asyncio.Queue[str]", gone: Cancellation) -> AsyncGenerator[str, None]:
    """Texts of a queue up to an empty one; cancels when they are not wanted any more."""
    try:
        while text := await emitted.get():
            yield text
    finally:
        gone.cancel()


async def finish_while_wanted(
    request: Request, questions: QuestionService, stream: AnswerStream, emit: Callable[[str], None] = lambda _: None
) -> None:
    """Finish an answer that is sent whole; an engine's request is cancelled if the client disconnects.

    Raises:
        ModelError: as for `QuestionService.finish`.
    """
    gone = Cancellation()

    def work() -> None:
        with cancellable(gone):
            questions.finish(stream, emit)

    async def cancel_when_gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue
        gone.cancel()

    looking = asyncio.create_task(cancel_when_gone())
    try:
        await run_in_threadpool(work)
    finally:
        looking.cancel()
