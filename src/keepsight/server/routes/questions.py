"""Questions about a stream, and what was answered before."""

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from keepsight.server.events.stream_events import EventResponse
from keepsight.server.routes.context import Desk, Service, Stream, refusals
from keepsight.server.views.answers import AnswerView, PastAnswerView, answer_view, past_answer_view
from keepsight.server.views.requests import NewQuestion

router = APIRouter(prefix="/v1", tags=["questions"])


@router.post(
    "/questions",
    response_model=AnswerView,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The answer, or its events where `stream` is true."},
        **refusals(404, 409, 422, 429),
    },
)
async def ask(asked: NewQuestion, desk: Desk) -> AnswerView | Response:
    """Answer a question from a stream's captions, with citations.

    With `stream` come the events `citations`, `piece` by `piece`, and `answer`; or `error` in their place.
    """
    record, stream = await run_in_threadpool(desk.begin, asked)
    if asked.stream:
        return EventResponse(desk.events(record, stream))
    await run_in_threadpool(desk.finish, stream)
    return answer_view(record.id, stream.answer)


@router.get("/streams/{stream_id}/questions", tags=["questions"], responses=refusals(404))
def answered(stream: Stream, service: Service) -> list[PastAnswerView]:
    """Questions that were asked about a stream, in the order in which they were answered."""
    return [past_answer_view(record) for record in service.journal.answers.of(stream.id)]
