"""Caption search."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from keepsight.hub.semantic_search import most_alike
from keepsight.hub.service import StreamService
from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.server.http.routes.context import Service, Stream, refusals
from keepsight.server.http.views.clips import ClipView

router = APIRouter(prefix="/v1", tags=["moments"])

Text = Annotated[
    str,
    Query(min_length=1, max_length=1000, description="Text to search captions for.", examples=["red ball"]),
]
Method = Annotated[
    Literal["words", "meaning"],
    Query(
        description="`words`: all must be there, in any inflection. `meaning`: the captions most like the text, by the "
        "cosine similarity of the model's embeddings.",
        examples=["meaning"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of clips to return.", examples=[20])]


class MomentView(ClipView):
    """A clip that was found."""

    score: float | None = Field(
        description="Cosine similarity of caption and text, -1 to 1, for a search by meaning; else null."
    )


@router.get("/moments", responses=refusals(422))
def everywhere(service: Service, query: Text, method: Method = "words", limit: Limit = 20) -> list[MomentView]:
    """Search the captions of all streams, best match first."""
    if method == "meaning":
        return _by_meaning(service, service.journal.streams.all(), query, limit)
    return _by_words(service, None, query, limit)


@router.get("/streams/{stream_id}/moments", responses=refusals(404, 422))
def of_stream(
    stream: Stream, service: Service, query: Text, method: Method = "words", limit: Limit = 20
) -> list[MomentView]:
    """Search the captions of one stream, best match first."""
    if method == "meaning":
        return _by_meaning(service, [stream], query, limit)
    return _by_words(service, stream.id, query, limit)


def _by_words(service: StreamService, stream_id: str | None, query: str, limit: int) -> list[MomentView]:
    found = service.journal.clips.search(query, stream_id=stream_id, limit=limit)
    return [_moment_view(clip, None) for clip in found]


def _by_meaning(service: StreamService, streams: Sequence[StreamRecord], query: str, limit: int) -> list[MomentView]:
    found = most_alike(service.model, service.journal, streams, query, limit)
    return [_moment_view(one.caption, max(-1.0, min(1.0, one.score))) for one in found]


def _moment_view(clip: CaptionRecord, score: float | None) -> MomentView:
    return MomentView(**vars(ClipView.model_validate(clip)), score=score)
