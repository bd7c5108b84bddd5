"""What OpenAI's clients ask for: streams as models, questions as chat completions."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from keepsight.journal import StreamRecord
from keepsight.server.events.stream_events import EventResponse
from keepsight.server.openai.completions import CompletionWriter
from keepsight.server.openai.names import stream_named
from keepsight.server.openai.refusals import OpenAiRoute, openai_refusals
from keepsight.server.openai.requests import ChatRequest, question_of
from keepsight.server.openai.views import ChatCompletion, ModelList, ModelView, WatchedModel
from keepsight.server.routes.context import Desk, Service
from keepsight.server.streams.service import StreamService
from keepsight.server.views.streams import stream_view

router = APIRouter(prefix="/v1", tags=["openai"], route_class=OpenAiRoute)

ModelName = Annotated[
    str, Path(description="The id of a stream, or the name of its source.", examples=["3f9c2b7a1d0e4c55"])
]


@router.get("/models")
def models(service: Service) -> ModelList:
    """Each stream as a model."""
    return ModelList(data=[_model_view(service, stream) for stream in service.journal.streams.all()])


@router.get("/models/{stream_id:path}", responses=openai_refusals(404))
def model(stream_id: ModelName, service: Service) -> ModelView:
    """One stream as a model."""
    return _model_view(service, stream_named(service.journal, stream_id))


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The answer, or its chunks if `stream` is true."},
        **openai_refusals(400, 404, 409, 429),
    },
)
async def complete(asked: ChatRequest, service: Service, desk: Desk) -> ChatCompletion | Response:
    """Answer the last message, a question about the stream that `model` names.

    The model is shown captions and that question. Messages before it are not shown to it, and counted in
    `keepsight.num_messages_not_shown`; `keepsight.citations` has what the answer rests on.
    """
    named = await run_in_threadpool(stream_named, service.journal, asked.model)
    question = question_of(asked, named.id)
    record, stream = await run_in_threadpool(desk.begin, question, asked.answer_tokens)
    writer = CompletionWriter(asked, record.id, service.model)
    if asked.stream:
        return EventResponse(desk.events(record, stream, writer))
    pieces: list[str] = []
    await run_in_threadpool(desk.finish, stream, pieces.append)
    return await run_in_threadpool(writer.whole, stream, "".join(pieces))


def _model_view(service: StreamService, stream: StreamRecord) -> ModelView:
    view = stream_view(service, stream)
    watched = WatchedModel(
        source=view.source, model=view.model, is_live=view.is_live, state=view.state, num_clips=view.num_clips
    )
    return ModelView(id=view.id, created=int(view.started_at.timestamp()), keepsight=watched)
