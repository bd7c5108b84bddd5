"""Kept tokens of clips, and the current visual memory, as JSON."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from keepsight.engine.memory_rows import held_positions
from keepsight.journal import ClipRecord, Journal, StreamRecord
from keepsight.journal.encoding import kept_cells
from keepsight.settings import PARTS, Settings


class KeptFrameView(BaseModel):
    """Mask of a frame: grid cells whose token was kept."""

    frame_index: int
    seconds: float
    cells: list[tuple[int, int]] = Field(description="Row and column of each token, from the top left.")


class KeptView(BaseModel):
    """Kept tokens of a clip, by frame. Frames that share a step of tokens have equal cells."""

    clip_index: int
    token_grid: tuple[int, int] = Field(description="Rows and columns of visual tokens in a frame.")
    frames_per_step: int = Field(description="Consecutive frames that share one step of tokens.")
    num_visual_tokens: int
    kept_indices: list[int] = Field(description="Token indices in the clip: by step, then row.")
    frames: list[KeptFrameView]


class HeldClipView(KeptView):
    """A clip in visual memory; only tokens held in memory count as kept."""

    start_seconds: float
    end_seconds: float
    age_clips: int = Field(description="Clips watched since; 0 for the newest.")
    has_thumbnail: bool


class VisualMemoryView(BaseModel):
    """Visual memory before the next clip, oldest first."""

    stream_id: str
    policy: str = Field(examples=["fifo"])
    capacity_clips: int
    capacity_tokens: int | None
    num_tokens: int
    clips: list[HeldClipView]


def kept_view(clip: ClipRecord, kept_indices: Sequence[int] | None = None) -> KeptView:
    """View of a clip's kept tokens.

    Args:
        clip: its record.
        kept_indices: tokens to show; None for those of the record.
    """
    indices = clip.kept_indices.tolist() if kept_indices is None else list(kept_indices)
    frames = [
        KeptFrameView(frame_index=index, seconds=seconds, cells=[]) for index, seconds in enumerate(clip.frame_seconds)
    ]
    for first, row, column in kept_cells(indices, clip.token_grid, clip.num_frames, clip.frames_per_step):
        for frame in frames[first : first + clip.frames_per_step]:
            frame.cells.append((row, column))
    return KeptView(
        clip_index=clip.clip_index,
        token_grid=clip.token_grid,
        frames_per_step=clip.frames_per_step,
        num_visual_tokens=clip.num_visual_tokens,
        kept_indices=indices,
        frames=frames,
    )


def visual_memory_view(journal: Journal, stream: StreamRecord) -> VisualMemoryView:
    """Visual memory after the last stored clip.

    A clip removed by a quota meanwhile counts in `num_tokens`, but has nothing left to show.
    """
    settings = Settings.from_json(stream.settings_json)
    held = held_positions(journal, stream.id)
    newest = max(held, default=0)
    clips = []
    for clip_index, positions in held.items():
        if record := journal.clips.get(stream.id, clip_index):
            first = journal.memory.num_tokens_before(stream.id, clip_index)
            clips.append(_held_view(record, (positions - first).tolist(), newest - clip_index))
    return VisualMemoryView(
        stream_id=stream.id,
        policy=PARTS["memory_policy"].name_of(settings.memory_policy),
        capacity_clips=settings.memory_clips,
        capacity_tokens=settings.memory_tokens,
        num_tokens=sum(len(positions) for positions in held.values()),
        clips=clips,
    )


def _held_view(clip: ClipRecord, kept_indices: list[int], age_clips: int) -> HeldClipView:
    return HeldClipView(
        **dict(kept_view(clip, kept_indices)),
        start_seconds=clip.span.start_seconds,
        end_seconds=clip.span.end_seconds,
        age_clips=age_clips,
        has_thumbnail=bool(clip.thumbnail),
    )
