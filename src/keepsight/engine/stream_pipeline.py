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
from keepsight.engine.stillness import Stillness
from keepsight.errors import JournalWriteError
from keepsight.journal import ClipRecord, GapRecord, Journal, StreamRecord, contact_sheet
from keepsight.journal.compared import ComparedPicture
from keepsight.journal.last_clip import LastClip
from keepsight.journal.writer import PATIENCE_SECONDS
from keepsight.method.prompts import STILL_CAPTION, caption_line
from keepsight.method.protocol import Description, VideoModel
from keepsight.method.recurrence import ClipWork, EncodedClip, Recurrence, check_parts, encode_clip
from keepsight.method.selection import Selected
from keepsight.settings import Settings
from keepsight.spans import Span, format_clock
from keepsight.video import Clip
from keepsight.wall_times import local_zone, wall_text


@dataclass(frozen=True, eq=False, kw_only=True)
class Moment(ClipRecord):
    """A clip just watched, already on disk.

    Attributes:
        spent_until: wall-clock time when `seconds_spent` was measured, before writing, in seconds since 1970; None if
            unknown.
    """

    spent_until: float | None = None


@dataclass(frozen=True, eq=False)
class StillClip:
    """A clip in which nothing changed.

    Attributes:
        clip: frames and span.
        since: picture that all its frames equal.
        seconds_spent: duration of comparing.
    """

    clip: Clip
    since: ComparedPicture
    seconds_spent: float


@dataclass(frozen=True, eq=False)
class ReadyClip:
    """A clip prepared by `ready_clip`.

    Attributes:
        seen: its visual tokens, or the picture that all its frames equal.
        thumbnail: contact sheet of its frames, JPEG.
        is_last: whether the source's end cut it, so it changes if the source grows.
        compared: picture that the next clip is compared with; None without `skip_still`.
    """

    seen: EncodedClip | StillClip
    thumbnail: bytes
    is_last: bool = False
    compared: ComparedPicture | None = None


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
        stillness: comparison of the next clips, used ahead of `store`; None to caption all.
    """

    def __init__(
        self,
        journal: Journal,
        stream: StreamRecord,
        recurrence: Recurrence,
        next_index: int,
        end_seconds: float,
        replaced: LastClip | None = None,
        stillness: Stillness | None = None,
    ) -> None:
        self.journal = journal
        self.stream = stream
        self.recurrence = recurrence
        self.next_index = next_index
        self.end_seconds = end_seconds
        self.stillness = stillness
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
        stillness = Stillness.restore(journal, stream, settings, replaced)
        if replaced is not None:
            return cls(journal, stream, recurrence, replaced.clip_index, replaced.end_seconds, replaced, stillness)
        last = journal.clips.last(stream.id)
        next_index, end_seconds = (0, 0.0) if last is None else (last.clip_index + 1, last.span.end_seconds)
        return cls(journal, stream, recurrence, next_index, end_seconds, stillness=stillness)

    def store(
        self,
        model: VideoModel,
        work: ClipWork,
        description: Description,
        thumbnail: bytes,
        *,
        is_last: bool = False,
        compared: ComparedPicture | None = None,
    ) -> Moment:
        """Update the memory, and write caption, memory and the picture to compare with in one transaction.

        Raises:
            JournalWriteError: the write failed; nothing of this clip is stored.
        """
        selected = self.recurrence.keep(work, description)
        moment = self._moment(model, work, description, selected, thumbnail)
        return self._write(work.clip, moment, is_last=is_last, compared=compared)

    def store_still(self, model: VideoModel, still: StillClip, thumbnail: bytes, *, is_last: bool = False) -> Moment:
        """Write a clip in which nothing changed; the memory stays as it is. The model only counts tokens.

        Raises:
            JournalWriteError: the write failed; nothing of this clip is stored.
        """
        return self._write(still.clip, self._still_moment(model, still, thumbnail), is_last=is_last)

    def _write(self, clip: Clip, moment: Moment, *, is_last: bool, compared: ComparedPicture | None = None) -> Moment:
        with ExitStack() as transaction:
            transaction.enter_context(self.journal.transaction(self.patience_seconds, self.give_up))
            if self._replaced is not None:
                transaction.enter_context(self.journal.last_clips.replacing(self.stream.id, self._replaced))
            if is_last:
                transaction.enter_context(self.journal.last_clips.keeping(self.stream.id, clip.index))
            if clip.gap_before:  # in the clip's transaction, so a resumed stream has it once
                self._add_gap(clip)
            self.journal.clips.add(moment)
            if compared is not None:
                self.journal.compared.put(self.stream.id, compared, keep_previous=is_last)
            if not moment.is_still:
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

    def _still_moment(self, model: VideoModel, still: StillClip, thumbnail: bytes) -> Moment:
        clip, since, started = still.clip, still.since, time.perf_counter() - still.seconds_spent
        caption = f"{STILL_CAPTION} since {self._clock_text(since.frame_seconds, clip.span.start_seconds)}"
        return Moment(
            stream_id=self.stream.id,
            clip_index=clip.index,
            span=clip.span,
            caption=caption,
            num_line_tokens=model.count_tokens(f"{caption_line(clip.span, STILL_CAPTION)}\n"),
            num_visual_tokens=0,
            num_memory_tokens=0,
            token_grid=model.token_grid(*clip.frames[0].image.shape[:2]),
            frame_seconds=tuple(frame.pts_seconds for frame in clip.frames),
            kept_indices=np.zeros(0, np.int32),
            embedding=np.zeros(0, np.float32),
            scores=np.zeros(0, np.float32),
            thumbnail=thumbnail,
            seconds_spent=time.perf_counter() - started,
            num_frames_expected=clip.num_frames_expected,
            num_frames_dropped=clip.num_frames_dropped,
            media_start_seconds=clip.frames[0].media_seconds,
            is_still=True,
            still_since=since.clip_index,
            spent_until=time.time(),
        )

    def _clock_text(self, seconds: float, now_seconds: float) -> str:
        """Time for a reader: of the wall clock if live, with the date if that is another day's; else of the video."""
        if not self.stream.is_live:
            return format_clock(seconds)
        zone = local_zone()
        moment, now = (self.stream.wall_time(each).astimezone(zone) for each in (seconds, now_seconds))
        return wall_text(moment, zone, with_date=moment.date() != now.date())


def ready_clip(
    model: VideoModel, clip: Clip, *, is_last: bool = False, stillness: Stillness | None = None
) -> ReadyClip:
    """Prepare a clip ahead of its turn: compare it, encode it unless it is still, make its thumbnails.

    Args:
        model: encodes the clip.
        clip: the stream's next clip.
        is_last: whether the source's end cut it.
        stillness: comparison with the clips before; None to encode in any case.
    """
    started = time.perf_counter()
    compared = None if stillness is None else stillness.compare(clip)
    seen: EncodedClip | StillClip
    if compared is not None and compared.is_still:
        seen = StillClip(clip, compared.picture, time.perf_counter() - started)
    else:
        seen = encode_clip(model, clip)
    sheet = contact_sheet([frame.image for frame in clip.frames])
    return ReadyClip(seen, sheet, is_last, None if compared is None else compared.picture)


def watch_clip(model: VideoModel, state: StreamPipeline, ready: ReadyClip) -> Moment:
    """Describe and store one clip; a still one is stored as it is.

    Raises:
        JournalWriteError: the write failed; nothing of this clip is stored, and the message names it.
        PromptTooLongError: the clip alone exceeds the model's context window.
    """
    seen, sheet, is_last = ready.seen, ready.thumbnail, ready.is_last
    try:
        if isinstance(seen, StillClip):
            return state.store_still(model, seen, sheet, is_last=is_last)
        work = state.recurrence.prepare(model, seen)
        description = state.recurrence.describe(model, work)
        return state.store(model, work, description, sheet, is_last=is_last, compared=ready.compared)
    except JournalWriteError as error:
        raise type(error)(f"{error}; the caption of {seen.clip.span} is not stored") from error
