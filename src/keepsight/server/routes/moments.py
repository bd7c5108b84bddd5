"""Search in captions."""

from typing import Annotated

from fastapi import APIRouter, Query

from keepsight.server.routes.context import Service, Stream, refusals
from keepsight.server.views import ClipView, clip_view

router = APIRouter(prefix="/v1", tags=["moments"])

Words = Annotated[
    str, Query(min_length=1, max_length=1000, description="All words must be there.", examples=["red ball"])
]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/moments", responses=refusals(422))
def everywhere(service: Service, query: Words, limit: Limit = 20) -> list[ClipView]:
    """Clips of all streams whose caption has all words, in any inflection, best first."""
    return [clip_view(clip) for clip in service.journal.clips.search(query, limit=limit)]


@router.get("/streams/{stream_id}/moments", responses=refusals(404, 422))
def of_stream(stream: Stream, service: Service, query: Words, limit: Limit = 20) -> list[ClipView]:
    """Clips of one stream whose caption has all words, in any inflection, best first."""
    return [clip_view(clip) for clip in service.journal.clips.search(query, stream_id=stream.id, limit=limit)]
