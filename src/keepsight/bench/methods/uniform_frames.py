"""Baseline that sees frames spread evenly over the video so far: 32 of them, as is usual for short videos."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from keepsight.bench.methods.base import Asked, NoCaptions, Reply
from keepsight.bench.methods.few_frames import FewFrames
from keepsight.method.protocol import VideoModel
from keepsight.video import Frame

_HELD_FOR_EACH = 4
"""Frames held per frame wanted, at most; at least half as many are held, so a frame is within a quarter of the spacing
from its ideal time.
"""


class EvenlySeen(NoCaptions):
    """Holds evenly spaced frames in constant memory: when full, every second one is dropped.

    Args:
        num_frames: number of frames that will be wanted.
    """

    def __init__(self, num_frames: int) -> None:
        self._capacity = num_frames * _HELD_FOR_EACH
        self._step = 1
        self._num_seen = 0
        self._held: list[Frame] = []
        self._last: Frame | None = None

    def see(self, frame: Frame) -> None:
        """Keep or skip a frame."""
        if self._num_seen % self._step == 0:
            self._held.append(frame)
        self._num_seen += 1
        self._last = frame
        if len(self._held) > self._capacity:
            self._held = self._held[::2]
            self._step *= 2

    def evenly(self, num_frames: int) -> Sequence[Frame]:
        """Up to `num_frames` evenly spaced frames, from the first to the last seen, in time order."""
        if self._last is None:
            return ()
        numbers = [place * self._step for place in range(len(self._held))]
        frames = list(self._held)
        if frames[-1] is not self._last:
            numbers.append(self._num_seen - 1)
            frames.append(self._last)
        if len(frames) <= num_frames:
            return frames
        spacing = numbers[-1] / max(1, num_frames - 1)
        return [frames[_nearest(numbers, place * spacing)] for place in range(num_frames)]


def _nearest(numbers: Sequence[int], wanted: float) -> int:
    """Index of the nearest number; ties go to the smaller."""
    return min(range(len(numbers)), key=lambda place: abs(numbers[place] - wanted))


@dataclass(frozen=True)
class UniformFrames(FewFrames):
    """Show the model evenly spread frames: see `FewFrames`."""

    num_frames: int = 32

    @property
    def watching(self) -> Hashable:
        """The number of frames and their rate."""
        return ("uniform frames", self.num_frames, self.sample_fps)

    def begin(self, _model: VideoModel, _sample_fps: float) -> EvenlySeen:
        return EvenlySeen(self.num_frames)

    def answer(self, model: VideoModel, seen: EvenlySeen, asked: Asked) -> Reply:
        """Answer from the frames, or fewer, evenly spread, if they do not fit."""
        info = model.info
        fitting = info.context_window_tokens // 2 // info.tokens_per_step * info.frames_per_step
        return self.show(model, seen.evenly(max(1, min(self.num_frames, fitting))), asked)
