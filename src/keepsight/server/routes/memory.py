"""What was kept of a clip, and what of it the visual memory holds now."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from keepsight.server.routes.context import ClipIndex, Service, Stream, refusals
from keepsight.server.views.memory import KeptView, VisualMemoryView, kept_view, visual_memory_view

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["memory"])


@router.get("/memory", responses=refusals(404))
def memory(stream: Stream, service: Service) -> VisualMemoryView:
    """What stands before the next clip: the clips that are held, oldest first, and what is held of each."""
    return visual_memory_view(service.journal, stream)


@router.get("/clips/{clip_index}/kept", responses=refusals(404, 422))
def kept(stream: Stream, clip_index: ClipIndex, service: Service) -> KeptView:
    """Which cells of each frame the model paid attention to, so that they were kept."""
    found = service.journal.clips.get(stream.id, clip_index)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "the stream has no such clip, or no longer")
    return kept_view(found)
