"""The baseline that sees nothing: what the words of a question give away."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from keepsight.asking.evidence import longest_reply
from keepsight.bench.methods.base import Asked, NoCaptions, Reply, ask_model
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


class NothingSeen(NoCaptions):
    """An observer that looks away."""

    def see(self, _frame: Frame) -> None:
        """Forget it."""


@dataclass(frozen=True)
class Blind:
    """Ask the model the question alone.

    Attributes:
        settings: of these, only the longest answer matters.
    """

    settings: Settings = field(default_factory=Settings)

    @property
    def sample_fps(self) -> float:
        """Frames a second, none of which is looked at."""
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """Nothing."""
        return ("nothing", self.sample_fps)

    def begin(self, _model: VideoModel, _sample_fps: float) -> NothingSeen:
        """Begin."""
        return NothingSeen()

    def answer(self, model: VideoModel, seen: NothingSeen, asked: Asked) -> Reply:  # noqa: ARG002 - as all methods
        """Answer from the question's words."""
        return ask_model(model, "", asked, max_new_tokens=longest_reply(model, self.settings))
