"""What requests and answers look like in JSON, and how records become that."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keepsight.answering import Answer, Citation
from keepsight.journal import AnswerRecord, CaptionRecord, ClipRecord, GapRecord, StreamRecord
from keepsight.server.stream_run import Figures, state_of
from keepsight.server.streams import StreamService
from keepsight.server.uploads import shown_source

State = Literal[
    "watching",
    "connecting",
    "streaming",
    "stalled",
    "offline",
    "ended",
    "paused",
    "interrupted",
    "complete",
    "truncated",
    "failed",
]
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Asked(BaseModel):
    """A request; a field that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class NewStream(Asked):
    """What to watch: a source, or an upload that is whole."""

    source: str | None = Field(
        None,
        min_length=1,
        max_length=8192,
        description="The path of a file or a folder of pictures, the address of a server or a camera, or `push:NAME`.",
        examples=["/videos/kitchen.mp4", "rtsp://camera.example/stream", "push:door"],
    )
    upload_id: str | None = Field(None, min_length=1, max_length=64, description="In place of a source.")
    sample_fps: float | None = Field(None, gt=0, le=1000, description="Frames taken from each second of video.")
    restart: bool = Field(False, description="From the beginning as a new stream, whatever the journal has.")

    @model_validator(mode="after")
    def _is_of_one(self) -> "NewStream":
        if (self.source is None) == (self.upload_id is None):
            raise ValueError("give either a source or an upload_id")
        return self


class NewQuestion(Asked):
    """What to answer."""

    stream_id: str = Field(max_length=64, examples=["3f9c2b7a1d0e4c55"])
    question: str = Field(min_length=1, max_length=4000, examples=["Where did the dog go?"])
    at_seconds: Seconds | None = Field(None, description="Use only what had ended by this time of the stream.")
    live: bool = Field(False, description="Also show the model the frames that have no caption yet.")
    stream: bool = Field(False, description="Answer in server-sent events, as the model writes.")


class FiguresView(BaseModel):
    """How watching goes, since it was begun or resumed."""

    seconds_per_clip: float | None
    lag_seconds: float | None
    num_frames_dropped: int
    num_losses: int


class StreamView(BaseModel):
    """A stream."""

    id: str = Field(examples=["3f9c2b7a1d0e4c55"])
    source: str = Field(description="Without credentials.", examples=["/videos/kitchen.mp4"])
    model: str = Field(examples=["tiny"])
    is_live: bool
    started_at: datetime
    state: State
    reason: str = Field(description="One line on the state, may be empty.")
    end_seconds: float | None
    num_clips: int = Field(description="Clips that there ever were.")
    num_bytes: int = Field(description="What the journal has of it.")
    figures: FiguresView


class ClipView(BaseModel):
    """A clip, as lists have it. Times are seconds from the stream's start."""

    stream_id: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str = Field(examples=["a red ball rolls to the left."])
    num_frames_expected: int
    num_frames_dropped: int


class WholeClipView(ClipView):
    """A clip with what was kept of it."""

    num_visual_tokens: int
    num_memory_tokens: int
    kept_indices: list[int]
    token_grid: tuple[int, int]
    frame_seconds: list[float]
    seconds_spent: float
    has_thumbnail: bool


class GapView(BaseModel):
    """A stretch that was not seen, and why."""

    start_seconds: float
    end_seconds: float
    reason: str


class CitationView(BaseModel):
    """A caption that the model was given."""

    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str


class AnswerView(BaseModel):
    """An answer, and what it rests on."""

    stream_id: str
    question: str
    answer: str
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    num_live_frames: int
    citations: list[CitationView]
    gaps: list[GapView]


class PastAnswerView(BaseModel):
    """A question that was answered before."""

    asked_at: datetime
    ask_seconds: float
    question: str
    answer: str
    cited_clips: list[int]
    num_captions_given: int
    num_captions_left_out: int


class Page(BaseModel):
    """Clips in time order, and where the next ones begin."""

    clips: list[ClipView]
    next_index: int | None = Field(description="Pass it as from_index for more; null where there is none.")


class Refusal(BaseModel):
    """What is wrong."""

    message: str


class ErrorView(BaseModel):
    """What every answer that is no success looks like."""

    error: Refusal


def stream_view(service: StreamService, stream: StreamRecord) -> StreamView:
    """A stream as it is now."""
    run = service.run_of(stream.id)
    figures, reason = Figures() if run is None else run.figures(), "" if run is None else run.reason
    is_running = run is not None and run.is_alive
    return StreamView(
        id=stream.id,
        source=shown_source(stream.source),
        model=stream.model,
        is_live=stream.is_live,
        started_at=stream.started_at,
        state=run.state if run is not None and is_running else state_of(stream, reason),  # type: ignore[arg-type]
        reason=service.uploads.without_paths(reason if is_running else reason or stream.end_detail),
        end_seconds=stream.end_seconds,
        num_clips=service.journal.streams.position(stream.id).next_clip_index,
        num_bytes=service.journal.storage.num_bytes(stream.id),
        figures=FiguresView(**vars(figures)),
    )


def clip_view(clip: CaptionRecord) -> ClipView:
    """A clip of a list."""
    return ClipView(
        stream_id=clip.stream_id,
        clip_index=clip.clip_index,
        start_seconds=clip.span.start_seconds,
        end_seconds=clip.span.end_seconds,
        caption=clip.caption,
        num_frames_expected=clip.num_frames_expected,
        num_frames_dropped=clip.num_frames_dropped,
    )


def whole_clip_view(clip: ClipRecord) -> WholeClipView:
    """All of a clip but its picture and its numbers for ranking."""
    return WholeClipView(
        stream_id=clip.stream_id,
        clip_index=clip.clip_index,
        start_seconds=clip.span.start_seconds,
        end_seconds=clip.span.end_seconds,
        caption=clip.caption,
        num_frames_expected=clip.num_frames_expected,
        num_frames_dropped=clip.num_frames_dropped,
        num_visual_tokens=clip.num_visual_tokens,
        num_memory_tokens=clip.num_memory_tokens,
        kept_indices=clip.kept_indices.tolist(),
        token_grid=clip.token_grid,
        frame_seconds=list(clip.frame_seconds),
        seconds_spent=clip.seconds_spent,
        has_thumbnail=bool(clip.thumbnail),
    )


def gap_view(gap: GapRecord) -> GapView:
    """A gap."""
    return GapView(start_seconds=gap.span.start_seconds, end_seconds=gap.span.end_seconds, reason=gap.reason)


def citation_view(citation: Citation) -> CitationView:
    """A citation."""
    span = citation.span
    return CitationView(
        clip_index=citation.clip_index,
        start_seconds=span.start_seconds,
        end_seconds=span.end_seconds,
        caption=citation.caption,
    )


def answer_view(stream_id: str, answer: Answer) -> AnswerView:
    """An answer with its citations."""
    return AnswerView(
        stream_id=stream_id,
        question=answer.question,
        answer=answer.text,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        num_live_frames=answer.num_live_frames,
        citations=[citation_view(citation) for citation in answer.citations],
        gaps=[gap_view(gap) for gap in answer.gaps],
    )


def past_answer_view(record: AnswerRecord) -> PastAnswerView:
    """An answer as the journal has it."""
    return PastAnswerView(
        asked_at=record.asked_at,
        ask_seconds=record.ask_seconds,
        question=record.question,
        answer=record.answer,
        cited_clips=list(record.cited_clips),
        num_captions_given=record.num_captions_given,
        num_captions_left_out=record.num_captions_left_out,
    )
