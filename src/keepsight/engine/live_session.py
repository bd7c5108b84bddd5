"""A live stream being watched: possibly missing frames, gaps with reasons."""

from dataclasses import replace
from datetime import UTC, datetime

from keepsight.engine.session import StreamSession
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_journal import JournalWaits
from keepsight.journal import Journal, StoredGap, StreamRecord
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.sources.live_clock import MAX_DRIFT_SECONDS, RunStart, begin_run
from keepsight.spans import format_clock
from keepsight.video import Clip, Frame
from keepsight.video.live_clips import LiveClipBuffer

NOT_WATCHING = "Keepsight was not watching"
"""Reason of the gap between the end of one run and the first frame of the next."""

CLOCK_SET_BACK = "Keepsight was not watching, for an unknown time: the system clock is {behind} behind the last run"
"""The same, if the clock was set back in between."""

TOO_SLOW = "frames were dropped: the model was slower than the source"
"""Reason of a gap in which every frame was dropped."""


class LiveSession(StreamSession):
    """A `StreamSession` whose frames follow the wall clock.

    A gap is stored when it starts and extended while it lasts, so a crash does not hide it. Gaps overlap neither clips
    nor each other.

    Args:
        model: captions the clips.
        journal: journal to write to.
        stream: record of the stream; continues after its last clip.
        settings: settings of the stream.
    """

    def __init__(self, model: VideoModel, journal: Journal, stream: StreamRecord, settings: Settings) -> None:
        super().__init__(model, journal, stream, settings)
        self._run = RunStart(self._pipeline.end_seconds, stream.wall_clock_at(self._pipeline.end_seconds).timestamp())
        self._told_until = self._reached()
        self._last_gap: StoredGap | None = None  # with nothing after it
        self._is_growing = False
        self._stored: Moment | None = None
        self._waits = JournalWaits(journal)
        self._pipeline.give_up = self._unwanted.is_set
        self._is_resumed = self._told_until > 0
        self._clock_from = 0.0  # start of the stretch with this run's wall clock
        self._may_lead = False

    def _make_buffer(self) -> LiveClipBuffer:
        self._clips = LiveClipBuffer(
            self._settings.sample_fps, self._settings.frames_per_clip, first_index=self._pipeline.next_index
        )
        return self._clips

    def push(self, frame: Frame, num_dropped_before: int = 0) -> Moment | None:
        """Add a frame; returns the moment of the clip it completes or ends, else None. Ends an open gap.

        Args:
            frame: frame, not earlier than the previous one.
            num_dropped_before: number of frames dropped between the two.

        Raises:
            DiskFullError: the disk is full; call `recover` first.
            JournalWriteError: another write error; everything before this clip is stored.
            SettingError: the frame is earlier than the previous one.
        """
        if self._is_resumed:
            self._nothing_until(frame.pts_seconds, self._not_watching)
            self._is_resumed = False
        self._end_gap(frame.pts_seconds)
        clip = self._clips.push(frame, num_dropped_before)
        completed = clip is not None and clip.frames[-1] is frame
        if clip is not None and not completed:  # the clip ends before the frame
            self._watch(clip)
        num_lost = self._clips.num_lost
        is_noted = not num_lost or self._note_dropped(frame.pts_seconds)
        if clip is not None and completed:
            self._watch(clip if is_noted else replace(clip, num_frames_dropped=clip.num_frames_dropped + num_lost))
        elif not is_noted:
            self._clips.count_here(num_lost)
        return self.take_stored()

    def finish(self, at_seconds: float, num_dropped_before: int = 0) -> Moment | None:
        """Caption pending frames and record drops after them; no frame is expected for now.

        Args:
            at_seconds: current stream time.
            num_dropped_before: number of frames dropped after the last one.
        """
        self._finish(at_seconds, num_dropped_before)
        return self.take_stored()

    def interrupt(self, at_seconds: float, reason: str, num_dropped_before: int = 0) -> Moment | None:
        """Caption pending frames, and open or extend a gap after the last frame.

        Args:
            at_seconds: current stream time.
            reason: reason, one line; a gap keeps its first reason.
            num_dropped_before: number of frames dropped after the last one.
        """
        self._finish(at_seconds, num_dropped_before)
        self._nothing_until(at_seconds, reason)
        return self.take_stored()

    def take_stored(self) -> Moment | None:
        """The moment stored but not yet returned, as after an error that followed it."""
        stored, self._stored = self._stored, None
        return stored

    def begin_run(self, wall: float, *, may_lead: bool = False) -> RunStart:
        """Start of this run: by the wall clock, but never before the stored end.

        Args:
            wall: current wall-clock time, in seconds since 1970.
            may_lead: whether stored spans may reach beyond the wall clock, since frames may come faster than real time.

        Raises:
            JournalWriteError: the write failed.
        """
        reached = self._reached()
        slack_seconds = MAX_DRIFT_SECONDS + 1 / self._settings.sample_fps
        self._run = begin_run(self._stream.wall_clock_at(reached).timestamp(), reached, wall, slack_seconds)
        self._may_lead = may_lead
        self._clock_from = self._run.seconds if self._is_resumed else 0.0
        if self._run.set_back_seconds:
            self._store_clock()
        return self._run

    def set_clock(self, by_seconds: float) -> None:
        """Shift the wall-clock times of this run after the system clock was set; spans stay.

        Args:
            by_seconds: shift in seconds; negative for back.

        Raises:
            JournalWriteError: the write failed.
        """
        self._run = replace(self._run, started_at=self._run.started_at + by_seconds)
        self._store_clock()

    def _store_clock(self) -> None:
        moment = datetime.fromtimestamp(self._run.started_at, UTC)
        self._stream = self._journal.streams.set_clock(self._stream.id, self._clock_from, moment)
        self._pipeline.stream = self._stream

    @property
    def _not_watching(self) -> str:
        if self._may_lead or not self._run.set_back_seconds:
            return NOT_WATCHING
        return CLOCK_SET_BACK.format(behind=format_clock(self._run.set_back_seconds))

    def recover(self, at_seconds: float, reason: str) -> None:
        """Reload the stored state after a write error, and record the gap.

        Raises:
            JournalWriteError: writing still fails; retry later.
        """
        info = self._model.info
        self._pipeline = self._pipeline.restore(
            self._journal, self._stream, self._settings, info.devices[0], info.dtype
        )
        self._pipeline.give_up = self._unwanted.is_set
        self._buffer = self._make_buffer()
        self._told_until = self._reached()
        self._last_gap, self._is_growing = None, False
        if self._is_resumed:
            self._nothing_until(self._run.seconds, self._not_watching)
            self._is_resumed = self._is_growing = False
        last = self._journal.gaps.last(self._stream.id)
        if last is not None and last.reason == reason and last.end_seconds == self._told_until:
            self._last_gap, self._is_growing = (
                last,
                True,
            )  # the same outage: only the gap was stored in between
        self._nothing_until(at_seconds, reason)

    def _watch(self, clip: Clip) -> Moment:
        moment = super()._watch(clip)
        self._told_until = max(self._told_until, clip.span.end_seconds)
        self._last_gap, self._is_growing = None, False
        self._stored = moment
        self._waits.clip_stored()
        return moment

    def _finish(self, at_seconds: float, num_dropped_before: int) -> None:
        num_lost = self._clips.add_dropped(num_dropped_before)
        if num_lost and self._clips.pending and at_seconds <= self._clips.pending_end_seconds:
            self._clips.count_here(num_lost)
            num_lost = 0
        self.flush()
        if num_lost and not self._note_dropped(at_seconds):
            self._note_dropped(self._told_until + 1 / self._settings.sample_fps)

    def _note_dropped(self, until_seconds: float) -> bool:
        """Record a gap if every frame since the last clip or gap was dropped; False if it would be empty."""
        if until_seconds <= self._told_until:
            return False
        was_growing = self._is_growing
        self._nothing_until(until_seconds, self._waits.reason_of_drops(TOO_SLOW))
        self._is_growing = was_growing
        return True

    def _nothing_until(self, at_seconds: float, reason: str) -> None:
        """Open a gap at the known end, or extend the open one."""
        until_seconds = max(self._told_until, at_seconds)
        if self._is_growing and self._last_gap is not None:
            self._journal.gaps.extend(self._last_gap.id, until_seconds)
        else:
            self._last_gap = self._journal.gaps.begin(self._stream.id, self._told_until, reason, until_seconds)
        self._is_growing, self._told_until = True, until_seconds

    def _end_gap(self, at_seconds: float) -> None:
        """End the last gap at a new frame's time, even if it was recorded as longer."""
        gap = self._last_gap
        if gap is not None and at_seconds < self._told_until:
            self._journal.gaps.cut(gap.id, at_seconds)
            self._told_until = max(gap.start_seconds, at_seconds)
        elif gap is not None and self._is_growing:
            self._journal.gaps.extend(gap.id, at_seconds)
            self._told_until = at_seconds
        self._is_growing = False

    def _reached(self) -> float:
        """End of the last clip or gap."""
        gaps = self._journal.gaps.of(self._stream.id)
        return max([self._pipeline.end_seconds, *(gap.span.end_seconds for gap in gaps)])
