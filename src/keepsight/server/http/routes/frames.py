"""Frames without a caption yet: pushing them, and the newest one."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from keepsight.errors import ConflictError, NotFoundError
from keepsight.hub.newest_pictures import NewestPictures
from keepsight.hub.pushing.bodies import MessageBody, WholeMessage, whole_body
from keepsight.hub.pushing.connection import is_pushed
from keepsight.hub.service import StreamService
from keepsight.server.http.routes.context import Served, Service, Stream, from_app, refusals
from keepsight.server.settings import ServerSettings
from keepsight.sources.live_clock import steady_seconds
from keepsight.sources.messages import write_frame
from keepsight.video import Frame

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
"""A body of one of these types is one image."""

_MOST_BYTES_A_PIXEL, _MOST_BYTES_BESIDE = 4, 1 << 16  # bytes per pixel of a bitmap; metadata of small images
_BINARY = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"])


Newest = Annotated[NewestPictures, from_app("newest")]


@router.get(
    "/frames/newest",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **refusals(404)},
)
def newest(stream: Stream, pictures: Newest) -> Response:
    """Newest frame of an active stream as a JPEG; `Keepsight-Pts-Seconds` has its time.

    For a live source this is the current view, before the clip has a caption.
    """
    found = pictures.of(stream.id)
    if found is None:
        raise NotFoundError("no frame is waiting for a caption")
    headers = {"Keepsight-Pts-Seconds": f"{found.pts_seconds:.3f}"}
    return Response(found.jpeg, headers=headers, media_type="image/jpeg")


class PushedView(BaseModel):
    """Result of pushing frames."""

    num_frames: int = Field(description="Frames of this request that were accepted.")


PtsSeconds = Annotated[
    float | None,
    Query(
        ge=0,
        le=1e12,
        allow_inf_nan=False,
        description="When a picture came on screen, on any clock; the first one is second 0. The time of the request "
        "where it is left out. For bodies that are a picture.",
        examples=[2.0],
    ),
]


@router.post(
    "/frames",
    response_model=PushedView,
    responses=refusals(404, 408, 409, 413, 422, 429),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": dict.fromkeys(("application/octet-stream", *PICTURE_TYPES), _BINARY),
        }
    },
)
async def push(
    stream: Stream, request: Request, service: Service, settings: Served, pts_seconds: PtsSeconds = None
) -> PushedView | Response:
    """Push frames to a stream whose source is `push:NAME`: one per request, several, or an open-ended stream.

    The body is an image with its type in `Content-Type`. With any other type it is `{"type": "frame", "pts_seconds":
    2.0, "width": 640, "height": 360}`, a newline, and the pixels, RGB row by row; frames follow one another. Clip times
    are arrival times; `pts_seconds` decides which frames are sampled. `{"type": "end"}` ends the stream. Only one
    request at a time.
    """
    if not is_pushed(stream.source):
        raise ConflictError("frames can be pushed only to a stream whose source is push:NAME")
    point = service.sources.pushed.of(stream.source)

    def is_watched() -> bool:
        run = service.runs.of(stream.id)
        return run is not None and run.is_alive and not service.is_closing

    num_frames = 0
    with point.taken():
        if not is_watched():
            raise ConflictError("the stream is not active; resume it first")
        try:
            async for message in _messages(request, service, settings, pts_seconds):
                await run_in_threadpool(point.push, message.content, is_watched)
                num_frames += message.is_frame
        except ClientDisconnect:
            return Response(status_code=400)  # the client is gone
    return PushedView(num_frames=num_frames)


def _messages(
    request: Request, service: StreamService, settings: ServerSettings, pts_seconds: float | None
) -> AsyncIterator[WholeMessage]:
    """Messages of a body, in the format of `sources.messages`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in PICTURE_TYPES:
        return _picture(request, service, settings, steady_seconds() if pts_seconds is None else pts_seconds)
    return MessageBody(request.stream(), settings.max_frame_pixels).messages()


async def _picture(
    request: Request, service: StreamService, settings: ServerSettings, pts_seconds: float
) -> AsyncIterator[WholeMessage]:
    max_bytes = settings.max_frame_pixels * _MOST_BYTES_A_PIXEL + _MOST_BYTES_BESIDE
    content = await whole_body(request.stream(), max_bytes)
    image = await run_in_threadpool(service.sources.pictures.decode, content, settings.max_frame_pixels)
    message = BytesIO()
    write_frame(message, Frame(image, pts_seconds))
    yield WholeMessage(True, message.getvalue())
