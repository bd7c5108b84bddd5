"""Search in captions."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from keepsight.journal import StreamRecord
from keepsight.server.meaning import most_alike
from keepsight.server.routes.context import Service, Stream, refusals
from keepsight.server.streams.service import StreamService
from keepsight.server.views.clips import ClipView, clip_view

router = APIRouter(prefix="/v1", tags=["moments"])

Text = Annotated[
    str,
    Query(
        min_length=1, max_length=1000, description="What is looked for, in words of captions.", examples=["red ball"]
    ),
]
Method = Annotated[
    Literal["words", "meaning"],
    Query(
        description="`words`: all must be there, in any inflection. `meaning`: the captions most like the text, by the "
        "cosine similarity of the model's embeddings.",
        examples=["meaning"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most clips that are answered.", examples=[20])]


class MomentView(ClipView):
    """A clip that was found."""

    score: float | None = Field(
        description="Of a search by meaning, how like the text the caption is, from -1 to 1. Null otherwise."
    )


@router.get("/moments", responses=refusals(422))
def everywhere(service: Service, query: Text, method: Method = "words", limit: Limit = 20) -> list[MomentView]:
    """Clips of all streams whose caption fits, best first."""
    if method == "meaning":
        return _by_meaning(service, service.journal.streams.all(), query, limit)
    return _by_words(service, None, query, limit)


@router.get("/streams/{stream_id}/moments", responses=refusals(404, 422))
def of_stream(
    stream: Stream, service: Service, query: Text, method: Method = "words", limit: Limit = 20
) -> list[MomentView]:
    """Clips of one stream whose caption fits, best first."""
    if method == "meaning":
        return _by_meaning(service, [stream], query, limit)
    return _by_words(service, stream.id, query, limit)


def _by_words(service: StreamService, stream_id: str | None, query: str, limit: int) -> list[MomentView]:
    found = service.journal.clips.search(query, stream_id=stream_id, limit=limit)
    return [MomentView(**vars(clip_view(clip)), score=None) for clip in found]


def _by_meaning(service: StreamService, streams: Sequence[StreamRecord], query: str, limit: int) -> list[MomentView]:
    found = most_alike(service.model, service.journal, streams, query, limit)
    return [MomentView(**vars(clip_view(one.caption)), score=max(-1.0, min(1.0, one.score))) for one in found]
