"""A live stream that is being watched: frames that may be missing, gaps with their reasons."""

from keepsight.journal import Journal, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Clip, Frame
from keepsight.video.live_clips import LiveClipBuffer
from keepsight.watching.session import StreamSession
from keepsight.watching.stream_state import Moment

NOT_WATCHING = "Keepsight was not watching"
"""Reason of the gap between the end of one run and the first frame of the next."""

TOO_SLOW = "frames were dropped: the model was slower than the source"
"""Reason of a gap in which every frame was dropped."""


class LiveSession(StreamSession):
    """A `StreamSession` whose frames stand on the wall clock.

    A gap is in the journal from the moment it begins, and grows there while it lasts, so that a crash does not hide it.

    Args:
        model: captions the clips.
        journal: where the stream is written.
        stream: its record; a stream with clips goes on after its last one.
        settings: how it is watched.
    """

    def __init__(self, model: VideoModel, journal: Journal, stream: StreamRecord, settings: Settings) -> None:
        super().__init__(model, journal, stream, settings)
        self._gap: int | None = None
        self._seen_until = self._state.end_seconds
        self._is_resumed = self._state.next_index > 0

    def _make_buffer(self) -> LiveClipBuffer:
        self._clips = LiveClipBuffer(
            self._settings.sample_fps, self._settings.frames_per_clip, first_index=self._state.next_index
        )
        return self._clips

    def push(self, frame: Frame, num_dropped_before: int = 0) -> Moment | None:
        """Take a frame; the moment of the clip that it completes or ends, or None. A gap that was open ends here.

        Args:
            frame: not earlier than the one before.
            num_dropped_before: frames between the two that were given up.

        Raises:
            DiskFullError: there is no room; call `recover` before anything else.
            JournalWriteError: the disk refused otherwise; everything before this clip is kept.
            SettingError: the frame is earlier than the one before it.
        """
        if self._is_resumed:
            self.interrupt(frame.pts_seconds, NOT_WATCHING)
            self._is_resumed = False
        self._end_gap(frame.pts_seconds)
        clip = self._clips.push(frame, num_dropped_before)
        moment = None if clip is None else self._watch(clip)
        if self._clips.num_lost:
            self.add_gap(frame.pts_seconds, TOO_SLOW)
        return moment

    def finish(self, at_seconds: float, num_dropped_before: int = 0) -> Moment | None:
        """No frame will come for now: caption what is pending, and note what was given up after it.

        Args:
            at_seconds: time of the stream now.
            num_dropped_before: frames after the last one that were given up.
        """
        num_lost = self._clips.add_dropped(num_dropped_before)
        moment = self.flush()
        if num_lost:
            self.add_gap(at_seconds, TOO_SLOW)
            self._seen_until = max(self._seen_until, at_seconds)
        return moment

    def interrupt(self, at_seconds: float, reason: str, num_dropped_before: int = 0) -> Moment | None:
        """Nothing is seen any more: caption what is pending, and open a gap after the last frame, or let it grow.

        Args:
            at_seconds: time of the stream now.
            reason: why, in one line; the first one of a gap stays.
            num_dropped_before: frames after the last one that were given up.
        """
        moment = self.finish(at_seconds, num_dropped_before)
        if self._gap is None:
            self._gap = self._journal.gaps.begin(self._stream.id, self._seen_until, reason)
        self._journal.gaps.extend(self._gap, max(at_seconds, self._seen_until))
        return moment

    def recover(self, at_seconds: float, reason: str) -> None:
        """After an error in writing: take up the state that is on disk, and note the gap.

        Raises:
            JournalWriteError: it still cannot be written; try again later.
        """
        self._state = self._state.restore(self._journal, self._stream, self._settings, self._model.info.device)
        self._buffer = self._make_buffer()
        self._seen_until = self._state.end_seconds
        self._gap = None
        self.interrupt(at_seconds, reason)

    def _watch(self, clip: Clip) -> Moment:
        moment = super()._watch(clip)
        self._seen_until = clip.span.end_seconds
        return moment

    def _end_gap(self, at_seconds: float) -> None:
        if self._gap is not None:
            self._journal.gaps.extend(self._gap, max(at_seconds, self._seen_until))
            self._gap = None
