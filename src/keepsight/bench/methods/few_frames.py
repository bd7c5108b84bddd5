"""Common base of baselines that show a few frames and keep nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from keepsight.asking.evidence import live_input, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.checks import check_count
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


@dataclass(frozen=True)
class FewFrames:
    """Show the model frames, and ask.

    Attributes:
        num_frames: number of frames, at least 1; fewer if they exceed half of the context window.
        settings: frame rate and answer limit.

    Raises:
        SettingError: `num_frames` is not an integer of at least 1.
    """

    num_frames: int = 1
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        check_count("num_frames", self.num_frames)

    @property
    def sample_fps(self) -> float:
        return self.settings.sample_fps

    def show(self, model: VideoModel, frames: Sequence[Frame], asked: Asked) -> Reply:
        """Answer from the newest frames that fit in half of the context window."""
        max_new_tokens = longest_reply(model, self.settings)
        visual = live_input(model, asked.wording, frames, max_new_tokens)
        return ask_model(model, "", asked, visual, max_new_tokens=max_new_tokens)
