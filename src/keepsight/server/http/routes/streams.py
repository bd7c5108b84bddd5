"""Streams: start, list, show, pause, resume, remove."""

from http import HTTPStatus

from fastapi import APIRouter

from keepsight.server.http.routes.context import Service, Stream, refusals
from keepsight.server.http.views.requests import NewStream
from keepsight.server.http.views.streams import StreamView, stream_view

router = APIRouter(prefix="/v1/streams", tags=["streams"])


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(403, 404, 409, 413, 422, 429))
def begin(asked: NewStream, service: Service) -> StreamView:
    """Watch a source or an upload; a known one resumes where it stopped, unless it is complete.

    A file is identified by its content: a replaced file is a new stream, a grown one resumes, a moved or copied one is
    not watched again; `note` says so.
    """
    stream = service.begin(
        asked.source_text(),
        settings=asked.settings(service.settings),
        restart=asked.restart,
        video_stream=asked.video_stream,
    )
    return stream_view(service, stream)


@router.get("")
def all_streams(service: Service) -> list[StreamView]:
    """List all streams of the journal, oldest first."""
    return [stream_view(service, stream) for stream in service.journal.streams.all()]


@router.get("/{stream_id}", responses=refusals(404))
def show(stream: Stream, service: Service) -> StreamView:
    """Show a stream."""
    return stream_view(service, stream)


@router.post("/{stream_id}/pause", responses=refusals(404, 409))
def pause(stream: Stream, service: Service) -> StreamView:
    """Pause a stream. The current clip is discarded, and watched again when a file resumes."""
    return stream_view(service, service.pause(stream.id))


@router.post("/{stream_id}/resume", responses=refusals(403, 404, 409, 413, 422, 429))
def resume(stream: Stream, service: Service) -> StreamView:
    """Resume a paused, interrupted or failed stream."""
    return stream_view(service, service.resume(stream.id))


@router.delete("/{stream_id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404, 409))
def remove(stream: Stream, service: Service) -> None:
    """Stop a stream and delete all its data."""
    service.remove(stream.id)
