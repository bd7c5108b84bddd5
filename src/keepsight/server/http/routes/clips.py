"""Clips of a stream, their images, and gaps."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from keepsight.errors import NotFoundError
from keepsight.hub.service import StreamService
from keepsight.journal import ClipRecord
from keepsight.server.http.routes.context import LARGEST_INDEX, ClipIndex, Service, Stream, refusals
from keepsight.server.http.views.clips import (
    ClipView,
    GapView,
    Page,
    WholeClipView,
)

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["clips"])


@router.get("/clips", responses=refusals(404, 422))
def clips(
    stream: Stream,
    service: Service,
    from_index: Annotated[int, Query(ge=0, le=LARGEST_INDEX, examples=[100])] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, examples=[100])] = 100,
) -> Page:
    """List clips from an index, in time order."""
    found = service.journal.clips.captions_from(stream.id, from_index, limit + 1)
    next_index = found[limit].clip_index if len(found) > limit else None
    return Page(clips=[ClipView.model_validate(clip) for clip in found[:limit]], next_index=next_index)


@router.get("/clips/{clip_index}", responses=refusals(404, 422))
def clip(stream: Stream, clip_index: ClipIndex, service: Service) -> WholeClipView:
    """Show a clip with its kept tokens."""
    return WholeClipView.model_validate(_clip(service, stream.id, clip_index))


@router.get(
    "/clips/{clip_index}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **refusals(404, 422)},
)
def thumbnail(stream: Stream, clip_index: ClipIndex, service: Service) -> Response:
    """JPEG of the clip's frames side by side, oldest on the left."""
    sheet = _clip(service, stream.id, clip_index).thumbnail
    if not sheet:
        raise NotFoundError("the picture was removed to free space")
    return Response(sheet, media_type="image/jpeg")


@router.put("/clips/{clip_index}/pin", responses=refusals(404, 422, 503, 507))
def pin(stream: Stream, clip_index: ClipIndex, service: Service) -> ClipView:
    """Exempt a clip and its image from quotas. Idempotent."""
    return _pinned(service, stream.id, clip_index, is_pinned=True)


@router.delete("/clips/{clip_index}/pin", responses=refusals(404, 422, 503, 507))
def unpin(stream: Stream, clip_index: ClipIndex, service: Service) -> ClipView:
    """Subject a clip to quotas again. Idempotent."""
    return _pinned(service, stream.id, clip_index, is_pinned=False)


@router.get("/gaps", responses=refusals(404))
def gaps(stream: Stream, service: Service) -> list[GapView]:
    """List what was not watched, and why, in time order."""
    return [GapView.model_validate(gap) for gap in service.journal.gaps.of(stream.id)]


def _clip(service: StreamService, stream_id: str, clip_index: int) -> ClipRecord:
    found = service.journal.clips.get(stream_id, clip_index)
    if found is None:
        raise _no_such_clip()
    return found


def _pinned(service: StreamService, stream_id: str, clip_index: int, *, is_pinned: bool) -> ClipView:
    """Set or clear a pin and return the clip, in one transaction, so no quota removes it in between."""
    clips = service.journal.clips
    with service.journal.transaction():
        if not clips.captions_at(stream_id, [clip_index]):
            raise _no_such_clip()
        clips.pin(stream_id, clip_index, pinned=is_pinned)
        (caption,) = clips.captions_at(stream_id, [clip_index])
    return ClipView.model_validate(caption)


def _no_such_clip() -> NotFoundError:
    return NotFoundError("no such clip, or it was removed")
