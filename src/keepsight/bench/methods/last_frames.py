"""Baseline that sees only the last few frames: hard to beat on questions about the present."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from keepsight.bench.methods.base import Asked, NoCaptions, Reply
from keepsight.bench.methods.few_frames import FewFrames
from keepsight.method.protocol import VideoModel
from keepsight.video import Frame


class LastSeen(NoCaptions):
    """Holds the newest frames.

    Args:
        num_frames: number of frames.
    """

    def __init__(self, num_frames: int) -> None:
        self.frames: deque[Frame] = deque(maxlen=num_frames)

    def see(self, frame: Frame) -> None:
        """Add a frame, dropping the oldest."""
        self.frames.append(frame)


@dataclass(frozen=True)
class LastFrames(FewFrames):
    """Show the model the last frames: see `FewFrames`."""

    num_frames: int = 4

    @property
    def watching(self) -> Hashable:
        """The number of frames and their rate."""
        return ("last frames", self.num_frames, self.sample_fps)

    def begin(self, _model: VideoModel, _sample_fps: float) -> LastSeen:
        return LastSeen(self.num_frames)

    def answer(self, model: VideoModel, seen: LastSeen, asked: Asked) -> Reply:
        """Answer from the frames."""
        return self.show(model, tuple(seen.frames), asked)
