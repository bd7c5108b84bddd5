"""A selector and a bench method for Keepsight, added by the entry points in pyproject.toml."""

from collections.abc import Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from keepsight import Settings
from keepsight.bench.methods import Asked, Reply
from keepsight.bench.methods.blind import NothingSeen
from keepsight.method.protocol import VideoModel
from keepsight.method.selection import Selected, count_kept


@dataclass(frozen=True)
class NewestFrames:
    """Keep the last tokens of each clip: `retention` is the share that is kept."""

    retention: float = 0.0625

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:  # noqa: ARG002 - this rule needs no scores
        """`tokens` are `[num_visual_tokens, dim]`, `scores` float32 `[num_visual_tokens]`."""
        indices = torch.arange(len(tokens) - count_kept(len(tokens), self.retention), len(tokens))
        return Selected(tokens[indices.to(tokens.device)].clone(), indices)


@dataclass(frozen=True)
class Constant:
    """Give the same answer to every question: what guessing is worth."""

    settings: Settings = field(default_factory=Settings)
    text: str = "yes"

    @property
    def sample_fps(self) -> float:
        """Frames a second that the bench reads; none is looked at."""
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """Equal for methods that can share an observer."""
        return ("nothing", self.sample_fps)

    def begin(self, model: VideoModel, sample_fps: float) -> NothingSeen:  # noqa: ARG002
        """An observer that keeps nothing."""
        return NothingSeen()

    def answer(self, model: VideoModel, seen: NothingSeen, asked: Asked) -> Reply:  # noqa: ARG002
        """The text, for no tokens of the model."""
        return Reply(self.text, num_prompt_tokens=0)
