"""Baseline that sees no video: what the question's words give away."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from keepsight.asking.evidence import longest_reply
from keepsight.bench.methods.base import Asked, NoCaptions, Reply, ask_model
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


class NothingSeen(NoCaptions):
    """Observer that ignores frames."""

    def see(self, _frame: Frame) -> None: ...


@dataclass(frozen=True)
class Blind:
    """Ask the model the question alone.

    Attributes:
        settings: only the answer limit is used.
    """

    settings: Settings = field(default_factory=Settings)

    @property
    def sample_fps(self) -> float:
        """Frames per second, all ignored."""
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """Nothing."""
        return ("nothing", self.sample_fps)

    def begin(self, _model: VideoModel, _sample_fps: float) -> NothingSeen:
        return NothingSeen()

    def answer(self, model: VideoModel, seen: NothingSeen, asked: Asked) -> Reply:  # noqa: ARG002 - as all methods
        """Answer from the question alone."""
        return ask_model(model, "", asked, max_new_tokens=longest_reply(model, self.settings))
