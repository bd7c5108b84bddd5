"""One step of the recurrent loop, stored: a clip in, its caption and what is kept of it durably in the journal.

A stream's whole state is its visual memory and its position, and both are read back from the journal, so a stream can
go on in another process.
"""

import time
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from keepsight.journal import ClipRecord, Journal, StreamRecord, contact_sheet
from keepsight.models.protocol import Description, VideoModel
from keepsight.prompts import caption_line
from keepsight.selection import Selected
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Clip
from keepsight.watching.memory_rows import restore_memory, store_memory
from keepsight.watching.recurrence import ClipWork, EncodedClip, Recurrence, encode_clip


@dataclass(frozen=True, eq=False)
class Moment:
    """What became of one clip. It is on disk when it is handed out.

    Attributes:
        clip_index: 0 for the stream's first clip.
        span: when it happened.
        caption: what the model said of it.
        kept_indices: int32 `[num_kept]`, places of the kept tokens in the clip, in temporal order.
        num_visual_tokens: visual tokens of the clip, before selection.
        num_memory_tokens: visual tokens from earlier clips that stood before it.
        num_kept_tokens: tokens that entered the memory.
        seconds_spent: wall time of encoding, and from the clip's turn to its being stored.
        num_frames: frames that it has.
        num_frames_expected: frames of a full clip, where some may be missing; 0 for as many as it has.
        num_frames_dropped: of the expected ones, those given up because the model was too slow.
        spent_until: wall clock when `seconds_spent` was measured, before it was written; in seconds since 1970.
    """

    clip_index: int
    span: Span
    caption: str
    kept_indices: NDArray[np.int32]
    num_visual_tokens: int
    num_memory_tokens: int
    num_kept_tokens: int
    seconds_spent: float
    num_frames: int = 0
    num_frames_expected: int = 0
    num_frames_dropped: int = 0
    spent_until: float | None = None


@dataclass(frozen=True, eq=False)
class ReadyClip:
    """A clip whose turn may come: see `ready_clip`.

    Attributes:
        encoded: its visual tokens.
        thumbnail: contact sheet of its frames, JPEG.
    """

    encoded: EncodedClip
    thumbnail: bytes


class StreamState:
    """The visual memory and position of one stream.

    After an error in `store` the state is ahead of the journal: make it anew with `restore`.

    Args:
        journal: where the stream is written.
        stream: its record.
        recurrence: its visual memory, with what was kept of the clips before `next_index`.
        next_index: index of the next clip.
        end_seconds: where the last clip ended.
    """

    def __init__(
        self,
        journal: Journal,
        stream: StreamRecord,
        recurrence: Recurrence,
        next_index: int,
        end_seconds: float,
    ) -> None:
        self.journal = journal
        self.stream = stream
        self.recurrence = recurrence
        self.next_index = next_index
        self.end_seconds = end_seconds

    @classmethod
    def restore(cls, journal: Journal, stream: StreamRecord, settings: Settings, device: str = "cpu") -> Self:
        """The state of a stream as the journal has it, tokens on a torch device; that of a new stream is empty."""
        recurrence = restore_memory(journal, stream.id, settings, device)
        last = journal.clips.last(stream.id)
        if last is None:
            return cls(journal, stream, recurrence, next_index=0, end_seconds=0.0)
        return cls(journal, stream, recurrence, last.clip_index + 1, last.span.end_seconds)

    def store(self, model: VideoModel, work: ClipWork, description: Description, thumbnail: bytes) -> Moment:
        """Remember what is worth keeping, and write caption and memory in one transaction.

        Raises:
            JournalWriteError: the disk refused; nothing of this clip is stored then.
        """
        clip = work.clip
        selected = self.recurrence.keep(work, description)
        record = self._record(model, work, description, selected, thumbnail)
        spent_until = time.time()
        with self.journal.transaction():
            self.journal.clips.add(record)
            store_memory(self.journal, self.stream.id, self.recurrence)
        self.next_index = clip.index + 1
        self.end_seconds = clip.span.end_seconds
        return Moment(
            clip_index=clip.index,
            span=clip.span,
            caption=record.caption,
            kept_indices=record.kept_indices,
            num_visual_tokens=record.num_visual_tokens,
            num_memory_tokens=record.num_memory_tokens,
            num_kept_tokens=len(selected.tokens),
            seconds_spent=record.seconds_spent,
            num_frames=len(clip.frames),
            num_frames_expected=clip.num_frames_expected,
            num_frames_dropped=clip.num_frames_dropped,
            spent_until=spent_until,
        )

    def _record(
        self, model: VideoModel, work: ClipWork, description: Description, selected: Selected, thumbnail: bytes
    ) -> ClipRecord:
        clip, caption = work.clip, description.caption
        return ClipRecord(
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
        )


def ready_clip(model: VideoModel, clip: Clip) -> ReadyClip:
    """Do all that can be done for a clip before its turn comes: its visual tokens, and its thumbnails."""
    encoded = encode_clip(model, clip)
    return ReadyClip(encoded, contact_sheet([frame.image for frame in clip.frames]))


def watch_clip(model: VideoModel, state: StreamState, ready: ReadyClip) -> Moment:
    """Describe and store one clip.

    Raises:
        JournalWriteError: the disk refused; nothing of this clip is stored then.
        PromptTooLongError: the clip alone is longer than the model's window.
    """
    work = state.recurrence.prepare(model, ready.encoded)
    return state.store(model, work, state.recurrence.describe(model, work), ready.thumbnail)
