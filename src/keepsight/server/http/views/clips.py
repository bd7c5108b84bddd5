"""Clips and gaps as JSON."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _as_list(values: object) -> object:
    return values.tolist() if isinstance(values, np.ndarray) else values


class Shown(BaseModel):
    """Base of views made from a record by `model_validate`, with a subset of its fields."""

    model_config = ConfigDict(from_attributes=True)


class ClipView(Shown):
    """A clip in a list. Times are seconds from the stream's start."""

    stream_id: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str = Field(examples=["a red ball rolls to the left."])
    num_frames_expected: int
    num_frames_dropped: int
    is_pinned: bool = Field(description="Exempt from quotas.")
    is_still: bool = Field(description="Nothing changed in it: the model did not see it; the caption says since when.")


class WholeClipView(ClipView):
    """A clip with its kept tokens."""

    num_visual_tokens: int
    num_memory_tokens: int
    kept_indices: Annotated[list[int], BeforeValidator(_as_list)]
    token_grid: tuple[int, int]
    frame_seconds: list[float]
    seconds_spent: float
    has_thumbnail: bool
    still_since: int | None = Field(description="For a still clip, index of the captioned clip since which.")


class GapView(Shown):
    """A span that was not watched, and why."""

    start_seconds: float
    end_seconds: float
    reason: str


class Page(BaseModel):
    """Clips in time order, and where the next page starts."""

    clips: list[ClipView]
    next_index: int | None = Field(description="Pass as from_index for the next page; null on the last.")
