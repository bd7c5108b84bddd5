"""Clips of a stream, their pictures, and what was not seen."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from keepsight.journal import ClipRecord
from keepsight.server.routes.context import LARGEST_INDEX, ClipIndex, Service, Stream, refusals
from keepsight.server.streams.service import StreamService
from keepsight.server.views.clips import (
    ClipView,
    GapView,
    Page,
    WholeClipView,
    clip_view,
    gap_view,
    whole_clip_view,
)

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["clips"])


@router.get("/clips", responses=refusals(404, 422))
def clips(
    stream: Stream,
    service: Service,
    from_index: Annotated[int, Query(ge=0, le=LARGEST_INDEX, examples=[100])] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, examples=[100])] = 100,
) -> Page:
    """Clips from an index on, in time order."""
    found = service.journal.clips.captions_from(stream.id, from_index, limit + 1)
    next_index = found[limit].clip_index if len(found) > limit else None
    return Page(clips=[clip_view(clip) for clip in found[:limit]], next_index=next_index)


@router.get("/clips/{clip_index}", responses=refusals(404, 422))
def clip(stream: Stream, clip_index: ClipIndex, service: Service) -> WholeClipView:
    """One clip with what was kept of it."""
    return whole_clip_view(_clip(service, stream.id, clip_index))


@router.get(
    "/clips/{clip_index}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **refusals(404, 422)},
)
def thumbnail(stream: Stream, clip_index: ClipIndex, service: Service) -> Response:
    """A JPEG of the clip's frames side by side, oldest on the left."""
    sheet = _clip(service, stream.id, clip_index).thumbnail
    if not sheet:
        raise HTTPException(HTTPStatus.NOT_FOUND, "the picture was removed to make room")
    return Response(sheet, media_type="image/jpeg")


@router.put("/clips/{clip_index}/pin", responses=refusals(404, 422, 503, 507))
def pin(stream: Stream, clip_index: ClipIndex, service: Service) -> ClipView:
    """Keep a clip and its picture, whatever the quota says; one that is pinned already stays so."""
    return _pinned(service, stream.id, clip_index, is_pinned=True)


@router.delete("/clips/{clip_index}/pin", responses=refusals(404, 422, 503, 507))
def unpin(stream: Stream, clip_index: ClipIndex, service: Service) -> ClipView:
    """Let the quota remove a clip again; one that is not pinned stays so."""
    return _pinned(service, stream.id, clip_index, is_pinned=False)


@router.get("/gaps", responses=refusals(404))
def gaps(stream: Stream, service: Service) -> list[GapView]:
    """What was not seen, and why, in time order."""
    return [gap_view(gap) for gap in service.journal.gaps.of(stream.id)]


def _clip(service: StreamService, stream_id: str, clip_index: int) -> ClipRecord:
    found = service.journal.clips.get(stream_id, clip_index)
    if found is None:
        raise _no_such_clip()
    return found


def _pinned(service: StreamService, stream_id: str, clip_index: int, *, is_pinned: bool) -> ClipView:
    """A clip after it was pinned, or no longer is; one transaction, so that no quota removes it in between."""
    clips = service.journal.clips
    with service.journal.transaction():
        if not clips.captions_at(stream_id, [clip_index]):
            raise _no_such_clip()
        clips.pin(stream_id, clip_index, pinned=is_pinned)
        (caption,) = clips.captions_at(stream_id, [clip_index])
    return clip_view(caption)


def _no_such_clip() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "the stream has no such clip, or no longer")
