"""The baseline that sees the last few frames only: hard to beat on questions about now (OVO-Bench, StreamingBench)."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from keepsight.bench.methods.base import Asked, Captioned, Reply, ask_model
from keepsight.bench.methods.checks import check_count
from keepsight.evidence import live_tokens, longest_reply
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


class LastSeen:
    """Holds the newest frames.

    Args:
        num_frames: how many.
    """

    def __init__(self, num_frames: int) -> None:
        self.frames: deque[Frame] = deque(maxlen=num_frames)

    def see(self, frame: Frame) -> None:
        """Take a frame; the oldest leaves."""
        self.frames.append(frame)

    def finish(self) -> None:
        """Nothing is left to do."""

    def captions(self) -> list[Captioned]:
        """None."""
        return []


@dataclass(frozen=True)
class LastFrames:
    """Show the model the last frames and ask.

    Attributes:
        num_frames: how many, 1 or more.
        settings: frame rate and longest answer.

    Raises:
        SettingError: `num_frames` is no whole number of 1 or more.
    """

    num_frames: int = 4
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        check_count("num_frames", self.num_frames)

    @property
    def sample_fps(self) -> float:
        """Frames a second."""
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """The number of frames and their rate."""
        return ("last frames", self.num_frames, self.sample_fps)

    def begin(self, _model: VideoModel, _sample_fps: float) -> LastSeen:
        """Begin without a frame."""
        return LastSeen(self.num_frames)

    def answer(self, model: VideoModel, seen: LastSeen, asked: Asked) -> Reply:
        """Answer from the frames, as many of them as fit in half of the window."""
        max_new_tokens = longest_reply(model, self.settings)
        tokens = live_tokens(model, asked.wording, tuple(seen.frames), max_new_tokens)
        return ask_model(model, "", asked, tokens, max_new_tokens=max_new_tokens)
