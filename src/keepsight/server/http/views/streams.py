"""Streams as JSON."""

from contextlib import suppress
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from keepsight.errors import UnknownStreamError
from keepsight.hub.service import StreamService
from keepsight.hub.states import is_final, state_of
from keepsight.hub.stats import StreamStats
from keepsight.hub.uploads.upload import shown_source
from keepsight.journal import StreamRecord
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
    "incomplete",
    "failed",
]


class FiguresView(BaseModel):
    """Statistics since the stream was started or resumed."""

    seconds_per_clip: float | None
    lag_seconds: float | None
    num_frames_dropped: int
    num_losses: int
    num_frames_pending: int = Field(description="Frames already received for the next clip.")


class WallClockView(BaseModel):
    """Wall-clock start of a live stream's run in or before which the system clock was set."""

    from_seconds: float
    started_at: datetime = Field(description="From there on, second s of the stream is at this time + s.")


class StreamView(BaseModel):
    """A stream."""

    id: str = Field(examples=["3f9c2b7a1d0e4c55"])
    source: str = Field(description="Without credentials.", examples=["/videos/kitchen.mp4"])
    model: str = Field(examples=["tiny"])
    is_live: bool
    started_at: datetime
    wall_clocks: list[WallClockView] = Field(
        default=[], description="Clock corrections: runs whose wall clock is not `started_at` + seconds; usually empty."
    )
    state: State
    reason: str = Field(description="Detail of the state in one line; may be empty.")
    note: str = Field(
        description="What there was to say of the source when it was begun or resumed, such as that it has grown or was"
        " replaced, or which of its video streams is watched; may be empty."
    )
    video_stream: int | None = Field(description="Index of the video stream in its file, from 0.")
    other_names: list[str] = Field(description="Other addresses of the same content.")
    end_seconds: float | None
    frames_per_clip: int = Field(examples=[16])
    num_clips: int = Field(description="Clips watched, including removed ones.")
    num_still_clips: int = Field(description="Of them, those in which nothing changed, which have no caption.")
    num_bytes: int = Field(description="Clips in the journal.")
    figures: FiguresView


def stream_view(service: StreamService, stream: StreamRecord) -> StreamView:
    """View of a stream."""
    run = service.runs.of(stream.id)
    if run is not None and is_final(run.state) and stream.end_reason is None:
        with suppress(UnknownStreamError):  # removed meanwhile
            stream = service.journal.streams.get(stream.id)  # it ended after its record was read
    position = service.journal.streams.position(stream.id)
    figures, reason = StreamStats() if run is None else run.figures(), "" if run is None else run.reason
    is_running = run is not None and run.is_alive
    if is_running and not reason:
        reason = service.journal.trouble()
    return StreamView(
        id=stream.id,
        source=shown_source(stream.source),
        model=stream.model,
        is_live=stream.is_live,
        started_at=stream.started_at,
        wall_clocks=[WallClockView(**vars(clock)) for clock in stream.wall_clocks],
        state=run.state if run is not None and is_running else state_of(stream, reason),  # type: ignore[arg-type]
        reason=service.sources.uploads.without_paths(reason if is_running else reason or stream.end_detail),
        note=service.sources.uploads.without_paths(service.notes.get(stream.id, "")),
        video_stream=stream.video_stream,
        other_names=[shown_source(name) for name in stream.other_names],
        end_seconds=stream.end_seconds,
        frames_per_clip=Settings.from_json(stream.settings_json).frames_per_clip,
        num_clips=position.next_clip_index,
        num_still_clips=position.num_still_clips,
        num_bytes=service.journal.storage.num_bytes(stream.id),
        figures=FiguresView(**vars(figures)),
    )
