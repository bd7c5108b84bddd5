"""What baselines that look at a few frames, and keep nothing else, have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from keepsight.asking.evidence import live_input, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.checks import check_count
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


@dataclass(frozen=True)
class FewFrames:
    """Shows the model frames, and asks.

    Attributes:
        num_frames: how many, 1 or more; fewer where half of the model's window has no room for so many.
        settings: frame rate and longest answer.

    Raises:
        SettingError: `num_frames` is no whole number of 1 or more.
    """

    num_frames: int = 1
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        check_count("num_frames", self.num_frames)

    @property
    def sample_fps(self) -> float:
        """Frames a second."""
        return self.settings.sample_fps

    def show(self, model: VideoModel, frames: Sequence[Frame], asked: Asked) -> Reply:
        """Answer from frames, the newest that fit in half of the window."""
        max_new_tokens = longest_reply(model, self.settings)
        visual = live_input(model, asked.wording, frames, max_new_tokens)
        return ask_model(model, "", asked, visual, max_new_tokens=max_new_tokens)
