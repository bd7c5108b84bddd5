"""Keepsight's own way: captions chosen from the journal, nothing to look at (paper, section 3)."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from keepsight.asking.candidates import Candidates
from keepsight.asking.evidence import choose_captions, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.loop import LoopObserver
from keepsight.models.protocol import VideoModel, VisualInput
from keepsight.prompts import captions_context
from keepsight.settings import Settings


@dataclass(frozen=True)
class Captions:
    """Watch with the full loop, answer from captions. All ablations of the loop are settings of it.

    Attributes:
        settings: selector, retention, memory, clip length, frame rate; retriever and budget.
    """

    settings: Settings = field(default_factory=Settings)

    @property
    def sample_fps(self) -> float:
        """Frames a second."""
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """The settings that decide captions and memory."""
        return ("loop", *sorted(self.settings.watching().items()))

    def begin(self, model: VideoModel, sample_fps: float) -> LoopObserver:
        """Begin with an empty memory."""
        return LoopObserver(model, replace(self.settings, sample_fps=sample_fps))

    def answer(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> Reply:
        """Answer from the captions that the retriever chooses; blind where there are none yet."""
        context = self.context(model, seen, asked)
        return ask_model(model, context, asked, max_new_tokens=longest_reply(model, self.settings))

    def context(self, model: VideoModel, seen: LoopObserver, asked: Asked, *, live: VisualInput | None = None) -> str:
        """The block of captions for a question, such that it fits beside the live frames."""
        candidates = self.candidates(seen)
        chosen = choose_captions(model, asked.wording, candidates, self.settings, query=asked.question, live=live)
        return captions_context(candidates.read_lines(chosen))

    def candidates(self, seen: LoopObserver) -> Candidates:
        """The captions to choose from, each with what a question is compared with."""
        return seen.candidates()
