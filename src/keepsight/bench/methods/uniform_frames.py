"""The baseline that sees frames spread evenly over all that has been: 32 of them, the usual way to watch a clip."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from keepsight.bench.methods.base import Asked, NoCaptions, Reply
from keepsight.bench.methods.few_frames import FewFrames
from keepsight.models.protocol import VideoModel
from keepsight.video import Frame

_HELD_FOR_EACH = 4
"""Frames held for each one wanted, at most; at least half as many are, so that a frame lies within a quarter of the
spacing from where it should be."""


class EvenlySeen(NoCaptions):
    """Holds frames at even distances in constant memory: when it is full, every second one leaves.

    Args:
        num_frames: how many will be wanted.
    """

    def __init__(self, num_frames: int) -> None:
        self._capacity = num_frames * _HELD_FOR_EACH
        self._step = 1
        self._num_seen = 0
        self._held: list[Frame] = []
        self._last: Frame | None = None

    def see(self, frame: Frame) -> None:
        """Take a frame, or pass it over."""
        if self._num_seen % self._step == 0:
            self._held.append(frame)
        self._num_seen += 1
        self._last = frame
        if len(self._held) > self._capacity:
            self._held = self._held[::2]
            self._step *= 2

    def evenly(self, num_frames: int) -> Sequence[Frame]:
        """So many frames, or all if there are fewer, from the first to the last one seen, in time order."""
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
    """Place of the number that is nearest; of two the smaller one."""
    return min(range(len(numbers)), key=lambda place: abs(numbers[place] - wanted))


@dataclass(frozen=True)
class UniformFrames(FewFrames):
    """Show the model frames spread evenly over the video so far and ask: see `FewFrames`."""

    num_frames: int = 32

    @property
    def watching(self) -> Hashable:
        """The number of frames and their rate."""
        return ("uniform frames", self.num_frames, self.sample_fps)

    def begin(self, _model: VideoModel, _sample_fps: float) -> EvenlySeen:
        """Begin without a frame."""
        return EvenlySeen(self.num_frames)

    def answer(self, model: VideoModel, seen: EvenlySeen, asked: Asked) -> Reply:
        """Answer from the frames, fewer but as evenly spread where so many do not fit."""
        info = model.info
        fitting = info.context_window_tokens // 2 // info.tokens_per_step * info.frames_per_step
        return self.show(model, seen.evenly(max(1, min(self.num_frames, fitting))), asked)
