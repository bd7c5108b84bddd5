"""Kept tokens of a clip, and the current visual memory."""

from fastapi import APIRouter

from keepsight.errors import NotFoundError
from keepsight.server.http.routes.context import ClipIndex, Service, Stream, refusals
from keepsight.server.http.views.memory import KeptView, VisualMemoryView, kept_view, visual_memory_view

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["memory"])


@router.get("/memory", responses=refusals(404))
def memory(stream: Stream, service: Service) -> VisualMemoryView:
    """Show the visual memory before the next clip: held clips, oldest first, with their tokens."""
    return visual_memory_view(service.journal, stream)


@router.get("/clips/{clip_index}/kept", responses=refusals(404, 422))
def kept(stream: Stream, clip_index: ClipIndex, service: Service) -> KeptView:
    """Show which cells of each frame were kept because the model attended to them."""
    found = service.journal.clips.get(stream.id, clip_index)
    if found is None:
        raise NotFoundError("no such clip, or it was removed")
    return kept_view(found)
