"""Question answering with limited concurrency; each answer is stored when complete."""

import time
from collections.abc import Callable

from keepsight.asking.answering import AnswerStream, Ask, ask
from keepsight.hub.limiter import Limiter
from keepsight.hub.service import StreamService
from keepsight.journal import StreamRecord
from keepsight.settings import Settings


class QuestionService:
    """Answers questions about a hub's streams. Thread-safe.

    Args:
        service: provides model and journal.
        max_in_flight: limit of concurrent questions.
    """

    def __init__(self, service: StreamService, max_in_flight: int) -> None:
        self._service = service
        self._limiter = Limiter(max_in_flight, "concurrent questions")
        self._begun: dict[AnswerStream, tuple[str, float]] = {}

    @property
    def num_in_flight(self) -> int:
        """Number of questions in progress."""
        return self._limiter.num_taken

    def begin(self, stream_id: str, asked: Ask) -> tuple[StreamRecord, AnswerStream]:
        """Take a slot and choose the evidence; `finish` frees the slot.

        Args:
            stream_id: stream to ask about; any text.
            asked: the question.

        Raises:
            NotFoundError: no such stream.
            BusyError: no slot is free.
            EmptyJournalError, PromptTooLongError: as for `answering.ask`.
        """
        service = self._service
        stream = service.get(stream_id)
        self._limiter.take()
        began = time.monotonic()
        try:
            frames = service.runs.pending_frames(stream.id)
            settings = Settings.from_json(stream.settings_json)
            answer = ask(service.answering, service.journal, stream, asked, settings=settings, live_frames=frames)
        except BaseException:
            self._limiter.give_back()
            raise
        self._begun[answer] = (stream.id, began)
        return stream, answer

    def finish(self, stream: AnswerStream, emit: Callable[[str], None] = lambda _: None) -> None:
        """Generate and store the whole answer, emitting its pieces.

        Raises:
            ModelError: generation failed; `EngineError` if the engine is unreachable, refuses, or does not answer.
        """
        (stream_id, began), text = self._begun.pop(stream), None
        try:
            for piece in stream:
                emit(piece)
            text = stream.answer.text
        finally:
            self._limiter.give_back()
            self._service.observers.answered(stream_id, time.monotonic() - began, text, stream.author)
