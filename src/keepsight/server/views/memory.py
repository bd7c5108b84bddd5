"""What was kept of clips, and what the visual memory holds of it now, as JSON."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from keepsight.journal import ClipRecord, Journal, StreamRecord
from keepsight.report.pictures import kept_cells
from keepsight.report.records import ContactSheet, ReportClip
from keepsight.settings import Settings
from keepsight.watching.memory_rows import restore_memory


class KeptFrameView(BaseModel):
    """A frame's mask: the cells of the grid whose token was kept."""

    frame_index: int
    seconds: float
    cells: list[tuple[int, int]] = Field(description="Row and column of each, from the top left.")


class KeptView(BaseModel):
    """What was kept of a clip, frame by frame. Frames that share a step of tokens have the same cells."""

    clip_index: int
    token_grid: tuple[int, int] = Field(description="Rows and columns of visual tokens in a frame.")
    frames_per_step: int = Field(description="Neighbouring frames that share a step of tokens.")
    num_visual_tokens: int
    kept_indices: list[int] = Field(description="Places in the clip: step after step, row by row.")
    frames: list[KeptFrameView]


class HeldClipView(KeptView):
    """A clip that the visual memory holds; only what it holds of it counts as kept."""

    start_seconds: float
    end_seconds: float
    age_clips: int = Field(description="Clips that were seen since; 0 for the newest.")
    has_thumbnail: bool


class VisualMemoryView(BaseModel):
    """What stands before the next clip, oldest first."""

    stream_id: str
    policy: str = Field(examples=["fifo"])
    capacity_clips: int
    capacity_tokens: int | None
    num_tokens: int
    clips: list[HeldClipView]


def kept_view(clip: ClipRecord, kept_indices: Sequence[int] | None = None) -> KeptView:
    """What was kept of a clip.

    Args:
        clip: its record.
        kept_indices: of these tokens; None for those of the record.
    """
    indices = clip.kept_indices.tolist() if kept_indices is None else list(kept_indices)
    frames = [
        KeptFrameView(frame_index=index, seconds=seconds, cells=[]) for index, seconds in enumerate(clip.frame_seconds)
    ]
    for first, row, column in _cells(clip, indices):
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
    """The visual memory as the last stored clip left it.

    A clip that a quota has removed meanwhile counts in `num_tokens`, but there is nothing left to show of it.
    """
    settings = Settings.from_json(stream.settings_json)
    memory = restore_memory(journal, stream.id, settings, "cpu").memory
    records = {held.clip_index: journal.clips.get(stream.id, held.clip_index) for held in memory.clips()}
    newest = max(records, default=0)
    clips = []
    for held in memory.clips():
        if record := records[held.clip_index]:
            first = journal.memory.num_tokens_before(stream.id, held.clip_index)
            clips.append(_held_view(record, (held.positions - first).tolist(), newest - held.clip_index))
    return VisualMemoryView(
        stream_id=stream.id,
        policy=settings.memory_policy,
        capacity_clips=memory.capacity_clips,
        capacity_tokens=memory.capacity_tokens,
        num_tokens=memory.num_tokens,
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


def _cells(clip: ClipRecord, kept_indices: Sequence[int]) -> list[tuple[int, int, int]]:
    """First frame, row and column of each kept token, as the report reckons it; its sheet needs no picture for that."""
    num_frames = len(clip.frame_seconds)
    if num_frames < 1:
        return []
    sheet = ContactSheet(bytes, num_frames, num_frames, 1, 1)
    return kept_cells(
        ReportClip(
            clip.clip_index,
            clip.span,
            clip.caption,
            sheet,
            kept_indices,
            clip.token_grid,
            clip.frames_per_step,
        )
    )
