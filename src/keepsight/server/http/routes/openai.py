"""OpenAI-compatible routes: streams as models, questions as chat completions."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from keepsight.errors import UnknownStreamError
from keepsight.hub.service import StreamService
from keepsight.hub.uploads.upload import shown_source
from keepsight.journal import Journal, StreamRecord, stream_named
from keepsight.server.http.events.answer_events import answer_events, finish_while_wanted
from keepsight.server.http.events.stream_events import EventResponse
from keepsight.server.http.openai.completions import CompletionWriter
from keepsight.server.http.openai.refusals import OpenAiError, OpenAiRoute, openai_refusals, refusal_of
from keepsight.server.http.openai.requests import ChatRequest, last_text, question_of
from keepsight.server.http.openai.tasks import reply_to_task
from keepsight.server.http.openai.views import ChatCompletion, ModelList, ModelView, WatchedModel
from keepsight.server.http.routes.context import Questions, Service
from keepsight.server.http.storing import MayStore
from keepsight.server.http.views.streams import stream_view

router = APIRouter(prefix="/v1", tags=["openai"], route_class=OpenAiRoute)

ModelName = Annotated[
    str,
    Path(description="Stream id, or its source's name, in full or in part.", examples=["3f9c2b7a1d0e4c55"]),
]


@router.get("/models")
def models(service: Service) -> ModelList:
    """List streams as models."""
    return ModelList(data=[_model_view(service, stream) for stream in service.journal.streams.all()])


@router.get("/models/{stream_id:path}", responses=openai_refusals(404))
def model(stream_id: ModelName, service: Service) -> ModelView:
    """Show a stream as a model."""
    return _model_view(service, _model_named(service.journal, stream_id))


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The answer, or its chunks if `stream` is true."},
        **openai_refusals(400, 404, 409, 429, 502, 503, 504),
    },
)
async def complete(
    asked: ChatRequest, request: Request, service: Service, questions: Questions, may_store: MayStore
) -> ChatCompletion | Response:
    """Answer the last message, a question about the stream that `model` names.

    The model sees captions and this question only; earlier messages are ignored and counted in
    `keepsight.num_messages_not_shown`. `keepsight.citations` has the evidence. A chat program's automatic prompts, for
    titles or tags, are answered by rule and not stored.
    """
    named = await run_in_threadpool(_model_named, service.journal, asked.model)
    by_rule = reply_to_task(last_text(asked.messages), shown_source(named.source))
    if by_rule is not None:
        writer = CompletionWriter(asked, named.id, service.model)
        return EventResponse(writer.events_by_rule(by_rule)) if asked.stream else writer.by_rule(by_rule)
    question = question_of(asked, may_store=may_store)
    record, stream = await run_in_threadpool(questions.begin, named.id, question)
    writer = CompletionWriter(asked, record.id, service.model)
    if asked.stream:
        return EventResponse(answer_events(questions, record, stream, writer))
    pieces: list[str] = []
    await finish_while_wanted(request, questions, stream, pieces.append)
    return await run_in_threadpool(writer.whole, stream, "".join(pieces))


def _model_view(service: StreamService, stream: StreamRecord) -> ModelView:
    view = stream_view(service, stream)
    watched = WatchedModel(
        source=view.source, model=view.model, is_live=view.is_live, state=view.state, num_clips=view.num_clips
    )
    return ModelView(id=view.id, created=int(view.started_at.timestamp()), keepsight=watched)


def _model_named(journal: Journal, name: str) -> StreamRecord:
    """Stream of a model name, by the rule of `journal.stream_named`.

    Raises:
        OpenAiError: 404, no stream or several match.
    """
    try:
        return stream_named(journal.streams.all(), name)
    except UnknownStreamError as error:
        raise OpenAiError(HTTPStatus.NOT_FOUND, refusal_of(HTTPStatus.NOT_FOUND, str(error), "model")) from None
