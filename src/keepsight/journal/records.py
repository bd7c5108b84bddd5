"""Records of a journal. Times are seconds from the stream's start unless noted."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from keepsight.method.model_info import ModelIdentity
from keepsight.spans import Span, Spanned


class EndReason(StrEnum):
    """Why watching ended."""

    COMPLETE = "complete"
    """The source ended."""
    TRUNCATED = "truncated"
    """The source is damaged and ended early."""
    INCOMPLETE = "incomplete"
    """The source claims a longer duration; watching it again resumes."""
    INTERRUPTED = "interrupted"
    """The user stopped it; watching the source again resumes."""
    FAILED = "failed"
    """An error stopped it; watching the source again resumes."""


@dataclass(frozen=True)
class WallClock:
    """Wall-clock start of a live stream's run in or before which the system clock was set.

    Attributes:
        from_seconds: start of the run.
        started_at: from there on, second s of the stream is at `started_at` + s; with time zone.
    """

    from_seconds: float
    started_at: datetime


@dataclass(frozen=True)
class ModelVersion:
    """Which weights a model's name stood for, and in which format they ran.

    Attributes:
        checkpoint: bundled name, absolute folder, or hub id with commit (`ModelIdentity.checkpoint`).
        dtype: the weights' type, such as `bfloat16`.
        quantization: `int8` or `int4`; None for none.
        fingerprint: digest of configuration and weights (`ModelIdentity.fingerprint`); empty if unknown.
        choices: settings of the model that captions depend on, other than the defaults (`ModelIdentity.choices`).
    """

    checkpoint: str
    dtype: str
    quantization: str | None = None
    fingerprint: str = ""
    choices: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class StreamRecord:
    """A watched source.

    Attributes:
        id: random id.
        source: absolute path or address, without credentials.
        model: name of the model that captioned it.
        settings_json: the settings it was watched with (`Settings.to_json`).
        started_at: wall clock, with time zone.
        end_reason: None while active, or after the process died.
        end_detail: one line on the reason; may be empty.
        end_seconds: its end; None until then.
        is_live: whether the source is live; `started_at` is then the wall-clock time of second 0.
        wall_clocks: clock corrections of later runs, in time order; usually empty.
        identity_json: identity of the source's content (`sources.identity.to_json`); None if unknown.
        video_stream: index of the video stream in its container; None if unknown.
        other_names: other paths and addresses of the same content.
        version: which weights the model's name stood for, last time; None if unknown, as in journals of earlier
            versions.
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
    wall_clocks: tuple[WallClock, ...] = ()
    identity_json: str | None = None
    video_stream: int | None = None
    other_names: tuple[str, ...] = ()
    version: ModelVersion | None = None

    @property
    def checkpoint(self) -> str:
        """What the model's name stood for; the name itself if unknown."""
        return self.model if self.version is None else self.version.checkpoint

    @property
    def choices(self) -> tuple[tuple[str, float], ...]:
        """Settings of the model that its captions depend on, other than the defaults."""
        return () if self.version is None else self.version.choices

    def is_by(self, model: ModelIdentity) -> bool:
        """Whether a model captioned it, with the same settings."""
        return self.has_weights_of(model) and self.choices == model.choices

    def has_weights_of(self, model: ModelIdentity) -> bool:
        """Whether the weights of a model captioned it: by their digest, which a moved folder keeps and a replaced one
        does not; else by what the name stood for, or by the name alone in journals of earlier versions.
        """
        if self.version is None:
            return self.model == model.name
        if self.version.fingerprint and model.fingerprint:
            return self.version.fingerprint == model.fingerprint
        return self.version.checkpoint == model.checkpoint

    def difference_to(self, model: ModelIdentity) -> str:
        """What is unlike a model that it is not by, completing "was watched with"."""
        if self.has_weights_of(model):
            names = {name for name, _ in {*self.choices} ^ {*model.choices}}
            return f"other settings ({', '.join(sorted(names))})"
        if self.checkpoint == model.checkpoint:
            return f"other weights in {self.checkpoint}"
        return f"the model {self.checkpoint}"

    @property
    def names(self) -> tuple[str, ...]:
        """All its paths and addresses, its own first."""
        return (self.source, *self.other_names)

    @property
    def is_finished(self) -> bool:
        """Whether it ended for good; an interrupted or failed stream can resume."""
        return self.end_reason in (EndReason.COMPLETE, EndReason.TRUNCATED)

    def wall_clock_at(self, seconds: float) -> datetime:
        """Wall-clock time of second 0, in the run that contains a time."""
        of_run = [clock.started_at for clock in self.wall_clocks if clock.from_seconds <= seconds]
        return of_run[-1] if of_run else self.started_at

    def wall_time(self, seconds: float) -> datetime:
        """Wall-clock time at a time of a live stream."""
        return self.wall_clock_at(seconds) + timedelta(seconds=seconds)

    def seconds_at(self, moment: datetime) -> float:
        """Stream time of a wall-clock moment; the last one if it is ambiguous.

        Negative before the stream's start; the start of a run for a moment that its clock skipped.
        """
        for number, clock in reversed(list(enumerate(self.wall_clocks))):
            seconds = (moment - clock.started_at).total_seconds()
            if seconds >= clock.from_seconds:
                ends = [later.from_seconds for later in self.wall_clocks[number + 1 :]]
                return min([seconds, *ends])
        ends = [clock.from_seconds for clock in self.wall_clocks]
        return min([(moment - self.started_at).total_seconds(), *ends])


@dataclass(frozen=True)
class CaptionRecord(Spanned):
    """Caption of a clip, from which questions are answered.

    Attributes:
        stream_id: its stream.
        clip_index: index in the stream, from 0.
        span: its time span.
        caption: the model's caption.
        num_line_tokens: tokens of `prompts.caption_line` and its newline, counted by the stream's model.
        num_frames_expected: frames that the span should have; 0 if unknown, as in old journals.
        num_frames_dropped: frames dropped because the model was too slow.
        is_pinned: whether quotas keep it, as of reading.
        is_still: whether nothing changed in it (`skip_still`): the model did not see it, and `caption` says since when.
    """

    stream_id: str
    clip_index: int
    span: Span
    caption: str
    num_line_tokens: int
    num_frames_expected: int = 0
    num_frames_dropped: int = 0
    is_pinned: bool = False
    is_still: bool = False


@dataclass(frozen=True)
class StreamPosition:
    """Position of a stream, counting clips removed by quotas.

    Attributes:
        next_clip_index: index of the next clip.
        num_tokens_seen: visual tokens of all clips, before selection.
        first_clip_tokens: tokens kept of the first clip; 0 before it.
        num_still_clips: clips in which nothing changed.
    """

    next_clip_index: int
    num_tokens_seen: int
    first_clip_tokens: int
    num_still_clips: int = 0


@dataclass(frozen=True)
class StillRun:
    """The still clips after a captioned one.

    Attributes:
        still_since: index of the captioned clip.
        last_index: index of the last still clip.
        span: from the start of the first to the end of the last.
        num_line_tokens: tokens of their longest line in a prompt.
    """

    still_since: int
    last_index: int
    span: Span
    num_line_tokens: int


@dataclass(frozen=True, eq=False)
class RankingRows:
    """Ranking data of a stream's captions, in time order; still clips have none.

    Attributes:
        clip_indices: int64 `[num_captions]`.
        num_line_tokens: int64 `[num_captions]`, as in `CaptionRecord`.
        embeddings: float32 `[num_captions, dim]`; `[0, 0]` without captions.
    """

    clip_indices: NDArray[np.int64]
    num_line_tokens: NDArray[np.int64]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipRecord(CaptionRecord):
    """A stored clip with all its data. Compares by identity.

    Attributes:
        num_visual_tokens: visual tokens of the clip, before selection; 0 for a still clip, and for no other.
        num_memory_tokens: memory tokens before the clip when it was captioned.
        token_grid: rows and columns of visual tokens per step.
        seconds_spent: wall time of encoding, and from the clip's turn until it was stored.
        frame_seconds: time of each frame.
        kept_indices: int32 `[num_kept]`, indices of kept tokens in the clip, in temporal order; representatives for a
            selector that computes new tokens.
        embedding: float32 `[dim]`, the caption's.
        scores: float32 `[num_visual_tokens]`.
        thumbnail: JPEG of the clip's frames side by side (`thumbnails.contact_sheet`); empty once a quota removed it.
        media_start_seconds: container time of the first frame; None if it equals the stream's time.
        still_since: for a still clip, index of the captioned clip since which nothing changed; else None.
    """

    num_visual_tokens: int
    num_memory_tokens: int
    token_grid: tuple[int, int]
    seconds_spent: float
    frame_seconds: tuple[float, ...]
    kept_indices: NDArray[np.int32]
    embedding: NDArray[np.float32]
    scores: NDArray[np.float32]
    thumbnail: bytes = field(repr=False)
    media_start_seconds: float | None = None
    still_since: int | None = None

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.frame_seconds)

    @property
    def num_kept_tokens(self) -> int:
        """Number of tokens that entered the visual memory."""
        return len(self.kept_indices)

    @property
    def has_thumbnail(self) -> bool:
        """Whether its thumbnail still exists."""
        return bool(self.thumbnail)

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from keepsight.journal.notebook import clip_html

        return clip_html(self)

    @property
    def frames_per_step(self) -> int:
        """Consecutive frames that share a step of tokens, derived from the number of tokens."""
        num_steps = max(1, self.num_visual_tokens // (self.token_grid[0] * self.token_grid[1]))
        return max(1, -(-len(self.frame_seconds) // num_steps))


@dataclass(frozen=True)
class GapRecord(Spanned):
    """A span of a stream that was not watched, and why."""

    stream_id: str
    span: Span
    reason: str


@dataclass(frozen=True)
class AnswerRecord:
    """A question and its answer.

    Attributes:
        stream_id: stream of the question.
        asked_at: wall clock, with time zone.
        ask_seconds: only clips that ended by then were used.
        question: as written by the user.
        answer: the model's answer.
        cited_clips: indices of clips whose captions were given to the model, in time order.
        num_captions_given: number of `cited_clips`.
        num_captions_left_out: other captions up to `ask_seconds`.
        answer_model: name of the model that wrote the answer; None for answers of earlier versions.
        answer_url: base URL of the server that ran it; None for a model in the process that asked.
    """

    stream_id: str
    asked_at: datetime
    ask_seconds: float
    question: str
    answer: str
    cited_clips: tuple[int, ...]
    num_captions_given: int
    num_captions_left_out: int
    answer_model: str | None = None
    answer_url: str | None = None
