"""Frames of a stream that have no caption yet: pushed to it, and the newest one to look at."""

import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from keepsight.server.failures import conflict
from keepsight.server.pushing.address import is_pushed
from keepsight.server.pushing.bodies import MessageBody, WholeMessage, whole_body
from keepsight.server.routes.context import Served, Service, Stream, from_app, refusals
from keepsight.server.settings import ServerSettings
from keepsight.server.streams.newest import NewestPictures
from keepsight.server.streams.service import StreamService
from keepsight.sources.messages import write_frame
from keepsight.video import Frame

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
"""A body of one of these is one picture."""

_MOST_BYTES_A_PIXEL, _MOST_BYTES_BESIDE = 4, 1 << 16  # a bitmap; a small picture inside, and what cameras say of it
_BINARY = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"])


Newest = Annotated[NewestPictures, from_app("newest")]


@router.get(
    "/frames/newest",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **refusals(404)},
)
def newest(stream: Stream, pictures: Newest) -> Response:
    """The frame that came last, as a JPEG, while the stream is being watched; `Keepsight-Pts-Seconds` says when it was.

    A live source's has come just now, and has no caption before its clip is whole: this is what a camera sees.
    """
    found = pictures.of(stream.id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no frame of the stream waits for its caption")
    headers = {"Keepsight-Pts-Seconds": f"{found.pts_seconds:.3f}"}
    return Response(found.jpeg, headers=headers, media_type="image/jpeg")


class PushedView(BaseModel):
    """What came."""

    num_frames: int = Field(description="Frames of this request that were handed on.")


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
    """Push frames to a stream whose source is `push:NAME`: one request each, some at a time, or one that goes on.

    The body is a picture, with its type in `Content-Type`. Of any other type it is
    `{"type": "frame", "pts_seconds": 2.0, "width": 640, "height": 360}`, a newline, and the pixels, RGB row by row; the
    next frame right behind. Clips have the times at which frames came; `pts_seconds` decides which are taken.
    `{"type": "end"}` ends the stream. One request at a time.
    """
    if not is_pushed(stream.source):
        raise conflict("frames are pushed to streams whose source is push:NAME")
    point = service.sources.pushed.of(stream.source)

    def is_watched() -> bool:
        run = service.runs.of(stream.id)
        return run is not None and run.is_alive and not service.is_closing

    num_frames = 0
    with point.taken():
        if not is_watched():
            raise conflict("the stream is not being watched: resume it")
        try:
            async for message in _messages(request, service, settings, pts_seconds):
                await run_in_threadpool(point.push, message.content, is_watched)
                num_frames += message.is_frame
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
    return PushedView(num_frames=num_frames)


def _messages(
    request: Request, service: StreamService, settings: ServerSettings, pts_seconds: float | None
) -> AsyncIterator[WholeMessage]:
    """What a body comes to, in the format of `sources.messages`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in PICTURE_TYPES:
        return _picture(request, service, settings, time.time() if pts_seconds is None else pts_seconds)
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
