"""What the tools give, as JSON."""

from datetime import datetime

from pydantic import BaseModel, Field

from keepsight.answering import Answer
from keepsight.journal import CaptionRecord, ClipRecord
from keepsight.server.standing.alert_view import AlertView
from keepsight.server.views.answers import CitationView, citation_view
from keepsight.server.views.clips import GapView, gap_view


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


class StandingAdded(BaseModel):
    """A standing question."""

    id: str
    question: str
    stream_id: str | None = Field(description="Null for all streams.")
    cooldown_seconds: float


class AlertsFound(BaseModel):
    """Alerts, newest first."""

    alerts: list[AlertView]


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
    clip: FoundClip | None = Field(description="The first that has the words, or in which it became so.")
    is_so: bool | None = Field(description="Of a question: what the model says of the clip judged last.")
    last_clip_index: int = Field(description="Pass it as after_clip_index to go on without missing a clip.")
    num_clips_left_out: int = Field(description="Of a question: clips not judged, for there were too many to wait for.")
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
