"""Frames pushed to a stream."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from keepsight.server.failures import conflict
from keepsight.server.pushing.address import is_pushed
from keepsight.server.pushing.bodies import MessageBody
from keepsight.server.routes.context import Served, Service, Stream, refusals

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"])


class PushedView(BaseModel):
    """What came."""

    num_frames: int = Field(description="Frames of this request that were handed on.")


@router.post(
    "/frames",
    response_model=PushedView,
    responses=refusals(404, 408, 409, 413, 422, 429),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def push(stream: Stream, request: Request, service: Service, settings: Served) -> PushedView | Response:
    """Push frames to a stream whose source is `push:NAME`: one request each, some at a time, or one that goes on.

    The body is `{"type": "frame", "pts_seconds": 2.0, "width": 640, "height": 360}`, a newline, and the pixels, RGB
    row by row; the next frame right behind. `{"type": "end"}` ends the stream. One request at a time.
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
            async for message in MessageBody(request.stream(), settings.max_frame_pixels).messages():
                await run_in_threadpool(point.push, message.content, is_watched)
                num_frames += message.is_frame
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
    return PushedView(num_frames=num_frames)
