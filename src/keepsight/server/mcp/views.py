"""What the tools take and give, as JSON."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from keepsight.answering import Answer
from keepsight.journal import CaptionRecord, ClipRecord
from keepsight.server.views.answers import CitationView, citation_view
from keepsight.server.views.clips import GapView, gap_view
from keepsight.server.views.requests import Asked, Seconds

LONGEST_WAIT_SECONDS = 300.0
"""Longest that one call waits."""

StreamName = Annotated[
    str, Field(min_length=1, max_length=8192, description="A stream's id from list_streams, or its source's name.")
]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
ClipIndex = Annotated[int, Field(ge=0, le=2**53)]


class NoArguments(Asked):
    """Nothing to tell."""


class AskArguments(Asked):
    """A question."""

    stream: StreamName
    question: str = Field(min_length=1, max_length=4000, description="A question about what was seen.")
    at_seconds: Seconds | None = Field(None, description="Use only what had ended by this time of the stream.")


class SearchArguments(Asked):
    """Words to look for."""

    words: Words = Field(description="All of them must be in a caption, in any inflection.")
    stream: StreamName | None = Field(None, description="Only this stream; all streams if not given.")
    limit: int = Field(20, ge=1, le=100)


class ClipArguments(Asked):
    """A clip."""

    stream: StreamName
    clip_index: ClipIndex


class WaitArguments(Asked):
    """What to wait for."""

    stream: StreamName
    words: Words = Field(description="Each must begin a word of one caption, in any case: dog finds Dogs.")
    timeout_seconds: float = Field(60.0, gt=0, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False)
    after_clip_index: int | None = Field(
        None, ge=-1, le=2**53, description="Look at clips after this one; those that come from now on if not given."
    )


class WatchArguments(Asked):
    """What to watch."""

    source: str = Field(min_length=1, max_length=8192, description="A path or address that the server may watch.")


class WatchedStream(BaseModel):
    """A stream."""

    id: str
    source: str
    model: str
    is_live: bool
    started_at: datetime
    state: str
    num_clips: int


class StreamsFound(BaseModel):
    """All streams."""

    streams: list[WatchedStream]


class FoundClip(BaseModel):
    """A clip. Times are seconds from the stream's start."""

    stream_id: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str


class ClipsFound(BaseModel):
    """Clips, best first."""

    clips: list[FoundClip]


class ShownClip(FoundClip):
    """A clip with its picture, which comes as an image: its frames side by side, oldest on the left."""

    frame_seconds: list[float]
    has_picture: bool


class AnswerFound(BaseModel):
    """An answer, and the captions it rests on."""

    stream_id: str
    answer: str
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    citations: list[CitationView]
    gaps: list[GapView]


class WaitEnded(BaseModel):
    """How waiting ended."""

    found: bool
    clip: FoundClip | None = Field(description="The first that fits.")
    last_clip_index: int = Field(description="Pass it as after_clip_index to go on without missing a clip.")
    reason: str = Field(description="Why waiting ended.")


def found_clip(clip: CaptionRecord | ClipRecord) -> FoundClip:
    """A clip of the journal."""
    return FoundClip(
        stream_id=clip.stream_id,
        clip_index=clip.clip_index,
        start_seconds=clip.span.start_seconds,
        end_seconds=clip.span.end_seconds,
        caption=clip.caption,
    )


def shown_clip(clip: ClipRecord) -> ShownClip:
    """A clip that is shown."""
    return ShownClip(
        **found_clip(clip).model_dump(), frame_seconds=list(clip.frame_seconds), has_picture=bool(clip.thumbnail)
    )


def answer_found(stream_id: str, answer: Answer) -> AnswerFound:
    """An answer as it was made."""
    return AnswerFound(
        stream_id=stream_id,
        answer=answer.text,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        citations=[citation_view(citation) for citation in answer.citations],
        gaps=[gap_view(gap) for gap in answer.gaps],
    )
