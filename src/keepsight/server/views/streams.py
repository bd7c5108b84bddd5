"""Streams as clients see them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from keepsight.journal import StreamRecord
from keepsight.server.streams.figures import Figures
from keepsight.server.streams.service import StreamService
from keepsight.server.streams.states import state_of
from keepsight.server.uploads.names import shown_source
from keepsight.settings import Settings

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


class FiguresView(BaseModel):
    """How watching goes, since it was begun or resumed."""

    seconds_per_clip: float | None
    lag_seconds: float | None
    num_frames_dropped: int
    num_losses: int
    num_frames_pending: int = Field(description="Frames of the next clip that are there already.")


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
    frames_per_clip: int = Field(examples=[16])
    num_clips: int = Field(description="Clips that there ever were.")
    num_bytes: int = Field(description="What the journal has of it.")
    figures: FiguresView


def stream_view(service: StreamService, stream: StreamRecord) -> StreamView:
    """A stream as it is now."""
    run = service.runs.of(stream.id)
    figures, reason = Figures() if run is None else run.figures(), "" if run is None else run.reason
    is_running = run is not None and run.is_alive
    return StreamView(
        id=stream.id,
        source=shown_source(stream.source),
        model=stream.model,
        is_live=stream.is_live,
        started_at=stream.started_at,
        state=run.state if run is not None and is_running else state_of(stream, reason),  # type: ignore[arg-type]
        reason=service.sources.uploads.without_paths(reason if is_running else reason or stream.end_detail),
        end_seconds=stream.end_seconds,
        frames_per_clip=Settings.from_json(stream.settings_json).frames_per_clip,
        num_clips=service.journal.streams.position(stream.id).next_clip_index,
        num_bytes=service.journal.storage.num_bytes(stream.id),
        figures=FiguresView(**vars(figures)),
    )
