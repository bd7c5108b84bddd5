"""A stream that is being watched: frames in, moments out."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime

from keepsight.journal import EndReason, GapRecord, Journal, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Clip, ClipBuffer, Frame, cut_clips
from keepsight.watching.lookahead import look_ahead
from keepsight.watching.stream_state import Moment, ReadyClip, StreamState, ready_clip, watch_clip


class StreamSession:
    """Takes sampled frames one by one and turns each full clip into a moment.

    Between frames, `pending_frames` are those that no caption covers yet.

    Args:
        model: captions the clips.
        journal: where the stream is written.
        stream: its record; a stream with clips goes on after its last one.
        settings: how it is watched.
    """

    def __init__(self, model: VideoModel, journal: Journal, stream: StreamRecord, settings: Settings) -> None:
        self._model = model
        self._journal = journal
        self._stream = stream
        self._settings = settings
        self._state = StreamState.restore(journal, stream, settings, model.info.device)
        self._buffer = self._make_buffer()

    def _make_buffer(self) -> ClipBuffer:
        settings = self._settings
        return ClipBuffer(settings.sample_fps, settings.frames_per_clip, first_index=self._state.next_index)

    @property
    def stream(self) -> StreamRecord:
        """The stream's record, with its end once it has ended."""
        return self._stream

    @property
    def resume_seconds(self) -> float:
        """Time from which frames are wanted: the end of the last clip, 0 for a new stream."""
        return self._state.end_seconds

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames of the unfinished clip, in time order."""
        return self._buffer.pending

    def push(self, frame: Frame) -> Moment | None:
        """Take a frame; the moment of the clip that it completes, or None.

        Raises:
            JournalWriteError: the disk refused; everything before this clip is kept.
            SettingError: the frame is earlier than the one before it.
        """
        clip = self._buffer.push(frame)
        return None if clip is None else self._watch(clip)

    def flush(self) -> Moment | None:
        """Caption the frames of an unfinished clip, if there are any and the settings want it."""
        clip = self._buffer.flush()
        if clip is None or not self._settings.caption_partial_clip:
            return None
        return self._watch(clip)

    def watch(self, frames: Iterable[Frame]) -> Generator[Moment, None, None]:
        """Moments of frames that need not be waited for, such as a file's: the next clip is read and encoded meanwhile.

        Frames of an unfinished last clip are captioned if the settings want it; none are pending at any time.

        Args:
            frames: in time order; used by another thread. If getting one fails, the error is raised after the
                moments of all before.

        Raises:
            JournalWriteError: the disk refused; everything before this clip is kept.
        """
        with closing(look_ahead(self._ready_clips(frames))) as ready_clips:
            for ready in ready_clips:
                yield watch_clip(self._model, self._state, ready)

    def _ready_clips(self, frames: Iterable[Frame]) -> Iterator[ReadyClip]:
        settings = self._settings
        clips = cut_clips(frames, settings.sample_fps, settings.frames_per_clip, first_index=self._state.next_index)
        for clip in clips:
            if settings.caption_partial_clip or len(clip.frames) == settings.frames_per_clip:
                yield ready_clip(self._model, clip)

    def _watch(self, clip: Clip) -> Moment:
        return watch_clip(self._model, self._state, ready_clip(self._model, clip))

    def add_gap(self, end_seconds: float, reason: str) -> None:
        """Note that nothing was seen from the end of the last clip up to a later time; an earlier one is ignored.

        Raises:
            JournalWriteError: the disk refused.
        """
        start_seconds = self._state.end_seconds
        if end_seconds > start_seconds:
            self._journal.gaps.add(GapRecord(self._stream.id, Span(start_seconds, end_seconds), reason))

    def end(self, reason: EndReason, detail: str = "") -> StreamRecord:
        """Mark the end of the stream.

        Raises:
            JournalWriteError: the disk refused.
        """
        self._stream = self._journal.streams.end(self._stream.id, reason, self._state.end_seconds, detail)
        return self._stream


def find_or_begin(
    journal: Journal,
    source: str,
    model: VideoModel,
    settings: Settings,
    *,
    restart: bool = False,
    is_live: bool = False,
    started_at: float | None = None,
) -> StreamRecord:
    """The newest stream of a source that was watched with this model and these settings, or a new one.

    Settings that change answers only may differ. A stream that was interrupted loses its mark of the end; so does a
    live one that ended, since a camera comes back. One that is finished otherwise is returned as it is.

    Args:
        journal: where streams are.
        source: name of the source.
        model: describes it.
        settings: how it is watched.
        restart: a new stream in any case.
        is_live: whether it stands on the wall clock.
        started_at: wall clock at the second 0 of a new stream, in seconds since 1970; None for now.
    """
    stream = None if restart else newest_like(journal, source, model.info.name, settings, is_live=is_live)
    if stream is not None:
        return stream if stream.is_finished and not is_live else journal.streams.resume(stream.id)
    moment = None if started_at is None else datetime.fromtimestamp(started_at, UTC)
    return journal.streams.begin(source, model.info.name, settings.to_json(), is_live=is_live, started_at=moment)


def newest_like(
    journal: Journal, source: str, model_name: str, settings: Settings, *, is_live: bool
) -> StreamRecord | None:
    """The newest stream of a source that was watched so: the one that `find_or_begin` goes on with.

    Args:
        journal: where streams are.
        source: name of the source.
        model_name: of the model.
        settings: how it was watched; those that change answers only may differ.
        is_live: whether it stands on the wall clock.
    """
    for stream in reversed(journal.streams.of_source(source)):
        same_settings = Settings.from_json(stream.settings_json).watching() == settings.watching()
        if stream.model == model_name and same_settings and stream.is_live == is_live:
            return stream
    return None
