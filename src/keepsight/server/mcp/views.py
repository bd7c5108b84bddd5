"""Results of the tools, as JSON."""

from datetime import datetime

from pydantic import BaseModel, Field

from keepsight.asking.answering import Answer
from keepsight.hub.standing.alert_view import AlertView
from keepsight.server.http.views.answers import CitationView
from keepsight.server.http.views.clips import GapView, Shown


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


class FoundClip(Shown):
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
    """A clip with its frames as one image, side by side, oldest on the left."""

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
    """An answer with its cited captions."""

    stream_id: str
    answer: str
    answer_model: str = Field(description="Model that wrote the answer.")
    answer_url: str | None = Field(description="Server that ran it; null for a model in this process.")
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    citations: list[CitationView]
    gaps: list[GapView]


class WaitEnded(BaseModel):
    """Result of waiting."""

    found: bool
    clip: FoundClip | None = Field(description="First clip that has the words, or in which the condition turned true.")
    is_so: bool | None = Field(description="For a question: the model's verdict on the last judged clip.")
    last_clip_index: int = Field(description="Pass as after_clip_index to continue without missing a clip.")
    num_clips_left_out: int = Field(description="For a question: clips skipped because there were too many.")
    reason: str = Field(description="Why waiting ended.")


def answer_found(stream_id: str, answer: Answer) -> AnswerFound:
    """View of an answer."""
    return AnswerFound(
        stream_id=stream_id,
        answer=answer.text,
        answer_model=answer.answer_model,
        answer_url=answer.answer_url,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        citations=[CitationView.model_validate(citation) for citation in answer.citations],
        gaps=[GapView.model_validate(gap) for gap in answer.gaps],
    )
