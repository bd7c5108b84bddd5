"""Questions about a stream, and stored answers."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from keepsight.server.http.events.answer_events import answer_events, finish_while_wanted
from keepsight.server.http.events.stream_events import EventResponse
from keepsight.server.http.routes.context import Questions, Service, Stream, refusals
from keepsight.server.http.storing import MayStore
from keepsight.server.http.views.answers import AnswerView, PastAnswerView, answer_view
from keepsight.server.http.views.requests import NewQuestion

router = APIRouter(prefix="/v1", tags=["questions"])


@router.post(
    "/questions",
    response_model=AnswerView,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The answer, or its events if `stream` is true."},
        **refusals(404, 409, 422, 429, 502, 503, 504),
    },
)
async def ask(asked: NewQuestion, request: Request, questions: Questions, may_store: MayStore) -> AnswerView | Response:
    """Answer a question from a stream's captions, with citations.

    With `stream`, send the events `citations`, `piece`s and `answer`, or `error` instead.
    """
    question = asked.to_ask(may_store=may_store)
    record, stream = await run_in_threadpool(questions.begin, asked.stream_id, question)
    if asked.stream:
        return EventResponse(answer_events(questions, record, stream))
    await finish_while_wanted(request, questions, stream)
    return answer_view(record.id, stream.answer)


@router.get("/streams/{stream_id}/questions", tags=["questions"], responses=refusals(404))
def answered(stream: Stream, service: Service) -> list[PastAnswerView]:
    """List stored questions and answers of a stream, oldest first."""
    return [PastAnswerView.model_validate(record) for record in service.journal.answers.of(stream.id)]
