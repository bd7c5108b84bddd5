"""Streams: begin, list, show, pause, resume, remove."""

from http import HTTPStatus

from fastapi import APIRouter

from keepsight.server.routes.context import Service, Stream, refusals
from keepsight.server.uploads.names import UPLOAD_SCHEME
from keepsight.server.views.requests import NewStream
from keepsight.server.views.streams import StreamView, stream_view

router = APIRouter(prefix="/v1/streams", tags=["streams"])


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(403, 404, 409, 413, 422, 429))
def begin(asked: NewStream, service: Service) -> StreamView:
    """Watch a source or an upload; one that was watched before goes on where it was left, or is complete."""
    source = asked.source or f"{UPLOAD_SCHEME}{asked.upload_id}"
    stream = service.begin(source, sample_fps=asked.sample_fps, restart=asked.restart)
    return stream_view(service, stream)


@router.get("")
def all_streams(service: Service) -> list[StreamView]:
    """All streams of the journal, in the order in which they were begun."""
    return [stream_view(service, stream) for stream in service.journal.streams.all()]


@router.get("/{stream_id}", responses=refusals(404))
def show(stream: Stream, service: Service) -> StreamView:
    """One stream."""
    return stream_view(service, stream)


@router.post("/{stream_id}/pause", responses=refusals(404, 409))
def pause(stream: Stream, service: Service) -> StreamView:
    """Leave a stream alone; answers once the clip in work is stored."""
    return stream_view(service, service.pause(stream.id))


@router.post("/{stream_id}/resume", responses=refusals(403, 404, 409, 413, 422, 429))
def resume(stream: Stream, service: Service) -> StreamView:
    """Go on with a stream that was paused or interrupted, or failed."""
    return stream_view(service, service.resume(stream.id))


@router.delete("/{stream_id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404, 409))
def remove(stream: Stream, service: Service) -> None:
    """Stop watching a stream, and remove all that was stored of it."""
    service.remove(stream.id)
