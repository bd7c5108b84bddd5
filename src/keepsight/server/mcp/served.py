"""The streams of a server, for the tools."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.journal.standing_records import StandingQuestion
from keepsight.server.access.limits import Slots
from keepsight.server.mcp.views import AnswerFound, WatchedStream, answer_found
from keepsight.server.mcp.watched import News
from keepsight.server.questions import QuestionDesk
from keepsight.server.streams.service import StreamService
from keepsight.server.views.requests import NewQuestion
from keepsight.server.views.streams import stream_view


class ServedStreams:
    """See `Watched`; limits are those of the API.

    Args:
        service: watches the streams.
        desk: answers questions.
        viewers: places of those who wait for events.
    """

    stores_answers = True

    def __init__(self, service: StreamService, desk: QuestionDesk, viewers: Slots) -> None:
        self._service = service
        self._desk = desk
        self._viewers = viewers

    @property
    def journal(self) -> Journal:
        """See `Watched`."""
        return self._service.journal

    @property
    def is_closing(self) -> bool:
        """See `Watched`."""
        return self._service.is_closing

    def stream_view(self, stream: StreamRecord) -> WatchedStream:
        """See `Watched`."""
        view = stream_view(self._service, stream)
        return WatchedStream(**view.model_dump(include=set(WatchedStream.model_fields)))

    def ask(self, stream: StreamRecord, question: str, at_seconds: float | None) -> AnswerFound:
        """See `Watched`."""
        asked = NewQuestion(stream_id=stream.id, question=question, at_seconds=at_seconds, live=False, stream=False)
        record, answers = self._desk.begin(asked)
        self._desk.finish(answers)
        return answer_found(record.id, answers.answer)

    def news(self, stream_id: str) -> News:
        """See `Watched`."""
        return self._service.bells.of(stream_id)

    async def judge(self, stream: StreamRecord, question: str, clip: CaptionRecord) -> bool:
        """See `Watched`."""
        del stream
        return await asyncio.wrap_future(self._service.standing.judge(question, clip))

    @contextmanager
    def place(self, *, is_judged: bool) -> Iterator[None]:
        """See `Watched`."""
        with self._viewers.taken(), self._service.standing.waiting.taken() if is_judged else nullcontext():
            yield

    def add_standing(self, question: str, stream_id: str | None, cooldown_seconds: float) -> StandingQuestion:
        """See `Watched`."""
        return self._service.standing.add(question, stream_id=stream_id, cooldown_seconds=cooldown_seconds)

    def watch(self, source: str) -> StreamRecord:
        """See `Watched`."""
        return self._service.begin(source)
