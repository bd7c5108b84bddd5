"""Clips and gaps as clients see them."""

from pydantic import BaseModel, Field

from keepsight.journal import CaptionRecord, ClipRecord, GapRecord


class ClipView(BaseModel):
    """A clip, as lists have it. Times are seconds from the stream's start."""

    stream_id: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str = Field(examples=["a red ball rolls to the left."])
    num_frames_expected: int
    num_frames_dropped: int
    is_pinned: bool = Field(description="Kept whatever a quota says.")


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


class Page(BaseModel):
    """Clips in time order, and where the next ones begin."""

    clips: list[ClipView]
    next_index: int | None = Field(description="Pass it as from_index for more; null where there is none.")


def clip_view(clip: CaptionRecord | ClipRecord) -> ClipView:
    """A clip of a list."""
    return ClipView(
        stream_id=clip.stream_id,
        clip_index=clip.clip_index,
        start_seconds=clip.span.start_seconds,
        end_seconds=clip.span.end_seconds,
        caption=clip.caption,
        num_frames_expected=clip.num_frames_expected,
        num_frames_dropped=clip.num_frames_dropped,
        is_pinned=clip.is_pinned,
    )


def whole_clip_view(clip: ClipRecord) -> WholeClipView:
    """All of a clip but its picture and its numbers for ranking."""
    return WholeClipView(
        **clip_view(clip).model_dump(),
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
