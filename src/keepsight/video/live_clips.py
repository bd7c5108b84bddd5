"""Cutting a live stream into clips by time, since frames may be missing."""

from keepsight.spans import Span
from keepsight.video.clips import DEFAULT_FRAMES_PER_CLIP, Clip, ClipBuffer
from keepsight.video.frames import Frame

_LATE_STEPS = 0.5
"""A frame belongs to a clip until half a step before its end, since live times are slightly irregular."""


class LiveClipBuffer(ClipBuffer):
    """Collects live frames into clips of fixed duration, however many frames arrive.

    A clip starts at its first frame and ends `frames_per_clip / sample_fps` later, or earlier at an interruption. It
    records how many missing frames were dropped. Arguments as in `ClipBuffer`.
    """

    def __init__(
        self, sample_fps: float, frames_per_clip: int = DEFAULT_FRAMES_PER_CLIP, *, first_index: int = 0
    ) -> None:
        super().__init__(sample_fps, frames_per_clip, first_index=first_index)
        self._step_seconds = float(1 / self._grid.rate)
        self._num_dropped = 0
        self._num_beyond = 0  # dropped in this clip's time beyond its capacity
        self.num_lost = 0
        """Dropped frames between the last clip and the pending one, which belong to no clip."""

    def push(self, frame: Frame, num_dropped_before: int = 0) -> Clip | None:
        """Add a frame; return the clip that it completes or that lies before it, or None.

        Args:
            frame: not earlier than the previous one.
            num_dropped_before: frames dropped between the two.

        Raises:
            SettingError: the frame is earlier than the previous one.
        """
        self._check_order(frame)
        done = None
        if self._pending and frame.pts_seconds > self._end_seconds() - _LATE_STEPS * self._step_seconds:
            num_dropped_before = self.add_dropped(num_dropped_before)
            done = self.flush()
        self.num_lost = self.add_dropped(num_dropped_before)
        if self._pending and self.num_lost:  # frames are denser than the sampling grid
            self.count_here(self.num_lost)
            self.num_lost = 0
        self._pending.append(frame)
        if done is None and len(self._pending) + self._num_dropped >= self._frames_per_clip:
            done = self.flush()
        return done

    def add_dropped(self, num_frames: int) -> int:
        """Count dropped frames after the last one; return those that the clip has no capacity for."""
        missing = self._frames_per_clip - len(self._pending) - self._num_dropped if self._pending else 0
        belong_here = min(num_frames, max(0, missing))
        self._num_dropped += belong_here
        return num_frames - belong_here

    def count_here(self, num_frames: int) -> None:
        """Count dropped frames in the pending clip's time, beyond its capacity."""
        self._num_beyond += num_frames

    @property
    def pending_end_seconds(self) -> float:
        """End of the pending clip if nothing interrupts it; 0 without one."""
        return self._end_seconds() if self._pending else 0.0

    def flush(self) -> Clip | None:
        """Return the pending frames as a clip, full or not; None if there are none."""
        if not self._pending:
            return None
        frames = tuple(self._pending)
        last = frames[-1].pts_seconds + self._step_seconds
        is_whole = len(frames) + self._num_dropped >= self._frames_per_clip
        end_seconds = max(last, self._end_seconds()) if is_whole and self._num_dropped else last
        clip = Clip(
            self._next_index,
            frames,
            Span(frames[0].pts_seconds, end_seconds),
            num_frames_expected=self._frames_per_clip,
            num_frames_dropped=self._num_dropped + self._num_beyond,
        )
        self._pending.clear()
        self._num_dropped = self._num_beyond = 0
        self._next_index += 1
        return clip

    def _end_seconds(self) -> float:
        return self._pending[0].pts_seconds + self._frames_per_clip * self._step_seconds
