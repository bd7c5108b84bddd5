"""What a journal holds, as plain records. Times are seconds from the stream's start unless named otherwise."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from keepsight.spans import Span


class EndReason(StrEnum):
    """Why a stream is no longer being watched."""

    COMPLETE = "complete"
    """The source came to its end."""
    TRUNCATED = "truncated"
    """The source is damaged and ended before it should have."""
    INTERRUPTED = "interrupted"
    """The user stopped it; watching the same source again goes on from here."""
    FAILED = "failed"
    """An error stopped it; watching the same source again goes on from here."""


@dataclass(frozen=True)
class StreamRecord:
    """One source as it was watched.

    Attributes:
        id: random text that names the stream.
        source: absolute path or address, without credentials.
        model: name of the model that captioned it.
        settings_json: the settings it was watched with (`Settings.to_json`).
        started_at: wall clock, with time zone.
        end_reason: None while it is being watched, or after the process died.
        end_detail: one line on the reason, may be empty.
        end_seconds: where it ended, None until then.
        is_live: whether it is watched while it happens; `started_at` is then the wall clock of its time 0.
    """

    id: str
    source: str
    model: str
    settings_json: str
    started_at: datetime
    end_reason: EndReason | None = None
    end_detail: str = ""
    end_seconds: float | None = None
    is_live: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to watch; an interrupted or failed stream can go on."""
        return self.end_reason in (EndReason.COMPLETE, EndReason.TRUNCATED)


@dataclass(frozen=True)
class CaptionRecord:
    """The text of one clip, what a question is answered from.

    Attributes:
        stream_id: the stream it belongs to.
        clip_index: 0 for the stream's first clip.
        span: when it happened.
        caption: what the model said of it.
        num_line_tokens: tokens of `prompts.caption_line` and its newline, counted by the stream's model.
        num_frames_expected: frames that the span should have had; 0 where that is not known, as in old journals.
        num_frames_dropped: those of them that were left out because the model could not keep up.
        is_pinned: whether it is kept whatever a quota says, when it was read.
    """

    stream_id: str
    clip_index: int
    span: Span
    caption: str
    num_line_tokens: int
    num_frames_expected: int = 0
    num_frames_dropped: int = 0
    is_pinned: bool = False


@dataclass(frozen=True)
class StreamPosition:
    """Where a stream stands. All clips count that there ever were, also those that a quota has removed.

    Attributes:
        next_clip_index: index of the clip that comes next.
        num_tokens_seen: visual tokens of all clips, before selection.
        first_clip_tokens: tokens kept of the first clip, 0 before there is one.
    """

    next_clip_index: int
    num_tokens_seen: int
    first_clip_tokens: int


@dataclass(frozen=True, eq=False)
class RankingRows:
    """What the captions of a stream are chosen by, in time order.

    Attributes:
        clip_indices: int64 `[num_captions]`.
        num_line_tokens: int64 `[num_captions]`, as in `CaptionRecord`.
        embeddings: float32 `[num_captions, dim]`; `[0, 0]` without captions.
    """

    clip_indices: NDArray[np.int64]
    num_line_tokens: NDArray[np.int64]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ClipRecord:
    """All that is stored of one clip.

    Attributes:
        stream_id, clip_index, span, caption, num_line_tokens: as in `CaptionRecord`.
        num_visual_tokens: visual tokens of the clip, before selection.
        num_memory_tokens: visual tokens that stood before the clip when it was captioned.
        token_grid: rows and columns of visual tokens in one step.
        seconds_spent: wall time from encoding to storing.
        frame_seconds: time of each frame.
        kept_indices: int32 `[num_kept]`, places of the kept tokens in the clip, in temporal order; for a selector that
            makes new tokens, places that stand for them.
        embedding: float32 `[dim]`, the caption's.
        scores: float32 `[num_visual_tokens]`.
        thumbnail: JPEG of the clip's frames side by side (`thumbnails.contact_sheet`); empty once a quota removed it.
        num_frames_expected, num_frames_dropped, is_pinned: as in `CaptionRecord`.
        media_start_seconds: the container's time of the first frame; None where it is the stream's own time.
    """

    stream_id: str
    clip_index: int
    span: Span
    caption: str
    num_line_tokens: int
    num_visual_tokens: int
    num_memory_tokens: int
    token_grid: tuple[int, int]
    seconds_spent: float
    frame_seconds: tuple[float, ...]
    kept_indices: NDArray[np.int32]
    embedding: NDArray[np.float32]
    scores: NDArray[np.float32]
    thumbnail: bytes
    num_frames_expected: int = 0
    num_frames_dropped: int = 0
    media_start_seconds: float | None = None
    is_pinned: bool = False

    @property
    def frames_per_step(self) -> int:
        """Neighbouring frames that share a step of tokens: so many that the frames come out at the tokens there are."""
        num_steps = max(1, self.num_visual_tokens // (self.token_grid[0] * self.token_grid[1]))
        return max(1, -(-len(self.frame_seconds) // num_steps))


@dataclass(frozen=True)
class GapRecord:
    """A stretch of a stream that was not seen, and why."""

    stream_id: str
    span: Span
    reason: str


@dataclass(frozen=True)
class AnswerRecord:
    """A question and its answer.

    Attributes:
        stream_id: the stream that was asked about.
        asked_at: wall clock, with time zone.
        ask_seconds: only clips that had ended by then were used.
        question: as the user wrote it.
        answer: what the model said.
        cited_clips: indices of the clips whose captions the model was given, in time order.
        num_captions_given: as many as `cited_clips`.
        num_captions_left_out: captions by `ask_seconds` that the model was not given.
    """

    stream_id: str
    asked_at: datetime
    ask_seconds: float
    question: str
    answer: str
    cited_clips: tuple[int, ...]
    num_captions_given: int
    num_captions_left_out: int
