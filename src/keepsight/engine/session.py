"""A stream being watched: frames in, moments out."""

import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

from keepsight.engine.coverage import Coverage, check_coverage
from keepsight.engine.lookahead import look_ahead
from keepsight.engine.stream_pipeline import Moment, ReadyClip, StreamPipeline, ready_clip, watch_clip
from keepsight.journal import EndReason, GapRecord, Journal, StreamRecord
from keepsight.method.protocol import VideoModel
from keepsight.models.cancellation import Cancellation, cancellable
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Clip, ClipBuffer, Frame, VideoInfo, cut_clips_to_end
from keepsight.video.packet_times import PacketExtent


class StreamSession:
    """Turns sampled frames into one moment per full clip.

    `pending_frames` are those not yet covered by a caption.

    Args:
        model: captions the clips.
        journal: journal to write to.
        stream: record of the stream; continues after its last clip, or replaces that clip if the source's end cut it.
        settings: settings of the stream.
    """

    def __init__(self, model: VideoModel, journal: Journal, stream: StreamRecord, settings: Settings) -> None:
        self._model = model
        self._journal = journal
        self._stream = stream
        self._settings = settings
        self._pipeline = StreamPipeline.restore(journal, stream, settings, model.info.devices[0], model.info.dtype)
        self._unwanted = threading.Event()
        self._began_seconds = self._pipeline.resume_seconds
        self._buffer = self._make_buffer()

    def stop_waiting(self) -> None:
        """Give up a clip that waits for another program's lock on the journal. Thread-safe."""
        self._unwanted.set()

    def _make_buffer(self) -> ClipBuffer:
        settings = self._settings
        return ClipBuffer(settings.sample_fps, settings.frames_per_clip, first_index=self._pipeline.next_index)

    @property
    def stream(self) -> StreamRecord:
        """Record of the stream, with its end once it has ended."""
        return self._stream

    @property
    def settings(self) -> Settings:
        """Settings of the stream."""
        return self._settings

    @property
    def resume_seconds(self) -> float:
        """Time from which frames are needed: the end of the last final clip, 0 for a new stream."""
        return self._pipeline.resume_seconds

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames of the unfinished clip, in time order."""
        return self._buffer.pending

    def push(self, frame: Frame) -> Moment | None:
        """Add a frame; returns the moment of the clip it completes, else None.

        Raises:
            JournalWriteError: the write failed; everything before this clip is stored.
            SettingError: the frame is earlier than the previous one.
        """
        clip = self._buffer.push(frame)
        return None if clip is None else self._watch(clip)

    def flush(self) -> Moment | None:
        """Caption the frames of an unfinished clip, if any, and if the settings allow it."""
        clip = self._buffer.flush()
        if clip is None or not self._settings.caption_partial_clip:
            return None
        return self._watch(clip)

    def watch(
        self, frames: Iterable[Frame], check: Callable[[bool], None] | None = None
    ) -> Generator[Moment, None, None]:
        """Yield moments of frames that are available at once, such as a file's, encoding the next clip meanwhile.

        Captions an unfinished last clip if the settings allow it; no frames are ever pending.

        Args:
            frames: frames in time order, read by another thread. A read error is raised after all earlier moments.
            check: called with each complete clip's `is_last`; an exception prevents storing the clip.

        Raises:
            JournalWriteError: the write failed; everything before this clip is stored.
        """
        self._pipeline.patience_seconds, self._pipeline.give_up = math.inf, self._unwanted.is_set
        encoding = Cancellation()
        with closing(look_ahead(self._ready_clips(frames, encoding), on_leaving=encoding.cancel)) as ready_clips:
            for ready in ready_clips:
                if check is not None:
                    check(ready.is_last)
                yield watch_clip(self._model, self._pipeline, ready)

    def _ready_clips(self, frames: Iterable[Frame], encoding: Cancellation) -> Iterator[ReadyClip]:
        settings = self._settings
        clips = cut_clips_to_end(
            frames, settings.sample_fps, settings.frames_per_clip, first_index=self._pipeline.next_index
        )
        for clip, is_last in clips:
            if is_last and self._pipeline.is_there(clip):
                continue  # nothing new; the frames' error is raised next
            if settings.caption_partial_clip or len(clip.frames) == settings.frames_per_clip:
                with cancellable(encoding):
                    ready = ready_clip(self._model, clip, is_last=is_last, stillness=self._pipeline.stillness)
                yield ready

    def _watch(self, clip: Clip) -> Moment:
        ready = ready_clip(self._model, clip, stillness=self._pipeline.stillness)
        return watch_clip(self._model, self._pipeline, ready)

    def add_gap(self, end_seconds: float, reason: str) -> None:
        """Record a gap from the end of the last clip to a later time; ignored if earlier.

        Raises:
            JournalWriteError: the write failed.
        """
        start_seconds = self._pipeline.end_seconds
        if end_seconds > start_seconds:
            self._journal.gaps.add(GapRecord(self._stream.id, Span(start_seconds, end_seconds), reason))

    def check_coverage(self, info: VideoInfo, extent: PacketExtent | None = None) -> Coverage:
        """Compare what was watched with the file's duration (see `coverage.check_coverage`)."""
        return check_coverage(self._journal, self._stream, self._settings, info, extent, self._began_seconds)

    def end(self, reason: EndReason, detail: str = "") -> StreamRecord:
        """Record the end of the stream.

        Raises:
            JournalWriteError: the write failed.
        """
        self._stream = self._journal.streams.end(self._stream.id, reason, self._pipeline.end_seconds, detail)
        return self._stream
