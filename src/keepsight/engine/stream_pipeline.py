"""One stored step of the recurrent loop: clip in, caption and kept tokens durably in the journal.

A stream's state is its visual memory and position; both are restored from the journal, so another process can resume
the stream.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import numpy as np

from keepsight.engine.memory_rows import restore_memory, store_memory
from keepsight.errors import JournalWriteError
from keepsight.journal import ClipRecord, GapRecord, Journal, StreamRecord, contact_sheet
from keepsight.journal.last_clip import LastClip
from keepsight.journal.writer import PATIENCE_SECONDS
from keepsight.method.prompts import caption_line
from keepsight.method.protocol import Description, VideoModel
from keepsight.method.recurrence import ClipWork, EncodedClip, Recurrence, check_parts, encode_clip
from keepsight.method.selection import Selected
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Clip


@dataclass(frozen=True, eq=False, kw_only=True)
class Moment(ClipRecord):
    """A clip just watched, already on disk.

    Attributes:
        spent_until: wall-clock time when `seconds_spent` was measured, before writing, in seconds since 1970; None if
            unknown.
    """

    spent_until: float | None = None


@dataclass(frozen=True, eq=False)
class ReadyClip:
    """A clip prepared by `ready_clip`.

    Attributes:
        encoded: its visual tokens.
        thumbnail: contact sheet of its frames, JPEG.
        is_last: whether the source's end cut it, so it changes if the source grows.
    """

    encoded: EncodedClip
    thumbnail: bytes
    is_last: bool = False


class StreamPipeline:
    """The visual memory and position of one stream.

    After an error in `store` the state is ahead of the journal: call `restore`.

    Args:
        journal: journal to write to.
        stream: record of the stream.
        recurrence: visual memory of the clips before `next_index`.
        next_index: index of the next clip.
        end_seconds: end of the last clip.
        replaced: last clip, if the next one replaces it; `recurrence` is the state before it.
    """

    def __init__(
        self,
        journal: Journal,
        stream: StreamRecord,
        recurrence: Recurrence,
        next_index: int,
        end_seconds: float,
        replaced: LastClip | None = None,
    ) -> None:
        self.journal = journal
        self.stream = stream
        self.recurrence = recurrence
        self.next_index = next_index
        self.end_seconds = end_seconds
        self._replaced = replaced
        self.patience_seconds = PATIENCE_SECONDS
        """How long a clip waits for other programs that write to the journal; infinite for a file."""
        self.give_up: Callable[[], bool] | None = None
        """Polled while a clip waits: whether to give up."""

    @property
    def resume_seconds(self) -> float:
        """Earliest start of the next clip."""
        return self.end_seconds if self._replaced is None else self._replaced.start_seconds

    def is_there(self, clip: Clip) -> bool:
        """Whether the replaceable last clip equals this one frame for frame, so its source has not grown."""
        replaced = self._replaced
        return replaced is not None and (
            (replaced.clip_index, replaced.frame_seconds)
            == (clip.index, tuple(frame.pts_seconds for frame in clip.frames))
        )

    @classmethod
    def restore(
        cls, journal: Journal, stream: StreamRecord, settings: Settings, device: str = "cpu", dtype: str | None = None
    ) -> Self:
        """Restore a stream's state from its journal; empty for a new stream.

        Args:
            journal: journal of the stream.
            stream: record of the stream.
            settings: settings of the stream.
            device: torch device for the tokens.
            dtype: number format of the model, to which the tokens are converted; None for the stored one.

        Raises:
            SettingError: the selector or memory policy is a plug-in that cannot be loaded.
            JournalError: a stored token is NaN or infinite.
        """
        check_parts(settings)
        replaced = None if stream.is_live else journal.last_clips.of(stream.id)
        recurrence = restore_memory(journal, stream.id, settings, device, dtype, before=replaced)
        if replaced is not None:
            return cls(journal, stream, recurrence, replaced.clip_index, replaced.end_seconds, replaced)
        last = journal.clips.last(stream.id)
        if last is None:
            return cls(journal, stream, recurrence, next_index=0, end_seconds=0.0)
        return cls(journal, stream, recurrence, last.clip_index + 1, last.span.end_seconds)

    def store(
        self, model: VideoModel, work: ClipWork, description: Description, thumbnail: bytes, *, is_last: bool = False
    ) -> Moment:
        """Update the memory, and write caption and memory in one transaction.

        Raises:
            JournalWriteError: the write failed; nothing of this clip is stored.
        """
        clip = work.clip
        selected = self.recurrence.keep(work, description)
        moment = self._moment(model, work, description, selected, thumbnail)
        with ExitStack() as transaction:
            transaction.enter_context(self.journal.transaction(self.patience_seconds, self.give_up))
            if self._replaced is not None:
                transaction.enter_context(self.journal.last_clips.replacing(self.stream.id, self._replaced))
            if is_last:
                transaction.enter_context(self.journal.last_clips.keeping(self.stream.id, clip.index))
            if clip.gap_before:  # in the clip's transaction, so a resumed stream has it once
                self._add_gap(clip)
            self.journal.clips.add(moment)
            store_memory(self.journal, self.stream.id, self.recurrence)
        self._replaced = None
        self.next_index = clip.index + 1
        self.end_seconds = clip.span.end_seconds
        return moment

    def _add_gap(self, clip: Clip) -> None:
        start_seconds = self.end_seconds
        if self._replaced is not None:
            before = self.journal.clips.get(self.stream.id, clip.index - 1)
            start_seconds = 0.0 if before is None else before.span.end_seconds
            self.journal.gaps.forget_from(self.stream.id, start_seconds)
        span = Span(start_seconds, max(start_seconds, clip.span.start_seconds))
        self.journal.gaps.add(GapRecord(self.stream.id, span, clip.gap_before))

    def _moment(
        self, model: VideoModel, work: ClipWork, description: Description, selected: Selected, thumbnail: bytes
    ) -> Moment:
        clip, caption = work.clip, description.caption
        return Moment(
            stream_id=self.stream.id,
            clip_index=clip.index,
            span=clip.span,
            caption=caption,
            num_line_tokens=model.count_tokens(f"{caption_line(clip.span, caption)}\n"),
            num_visual_tokens=len(work.visual.tokens),
            num_memory_tokens=len(work.visual.memory),
            token_grid=work.visual.token_grid or model.info.token_grid,
            frame_seconds=tuple(frame.pts_seconds for frame in clip.frames),
            kept_indices=selected.indices.cpu().numpy().astype(np.int32),
            embedding=model.embed(caption).numpy(),
            scores=description.scores.float().cpu().numpy(),
            thumbnail=thumbnail,
            seconds_spent=time.perf_counter() - work.started,
            num_frames_expected=clip.num_frames_expected,
            num_frames_dropped=clip.num_frames_dropped,
            media_start_seconds=clip.frames[0].media_seconds,
            spent_until=time.time(),
        )


def ready_clip(model: VideoModel, clip: Clip, *, is_last: bool = False) -> ReadyClip:
    """Prepare a clip ahead of its turn: visual tokens and thumbnails."""
    encoded = encode_clip(model, clip)
    return ReadyClip(encoded, contact_sheet([frame.image for frame in clip.frames]), is_last)


def watch_clip(model: VideoModel, state: StreamPipeline, ready: ReadyClip) -> Moment:
    """Describe and store one clip.

    Raises:
        JournalWriteError: the write failed; nothing of this clip is stored, and the message names it.
        PromptTooLongError: the clip alone exceeds the model's context window.
    """
    work = state.recurrence.prepare(model, ready.encoded)
    description = state.recurrence.describe(model, work)
    try:
        return state.store(model, work, description, ready.thumbnail, is_last=ready.is_last)
    except JournalWriteError as error:
        raise type(error)(f"{error}; the caption of {work.clip.span} is not stored") from error
