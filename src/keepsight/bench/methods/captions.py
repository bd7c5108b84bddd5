"""Keepsight's default: captions retrieved from the journal, without frames (paper, section 3)."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from keepsight.asking.candidates import Candidates
from keepsight.asking.evidence import choose_captions, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.loop import LoopObserver
from keepsight.method.prompts import captions_context
from keepsight.method.protocol import VideoModel, VisualInput
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
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """Settings that decide captions and memory."""
        return ("loop", *sorted(self.settings.watching().items()))

    def begin(self, model: VideoModel, sample_fps: float) -> LoopObserver:
        """Start with an empty memory."""
        return LoopObserver(model, replace(self.settings, sample_fps=sample_fps))

    def answer(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> Reply:
        """Answer from retrieved captions; blind if there are none yet."""
        context = self.context(model, seen, asked)
        return ask_model(model, context, asked, max_new_tokens=longest_reply(model, self.settings))

    def context(self, model: VideoModel, seen: LoopObserver, asked: Asked, *, live: VisualInput | None = None) -> str:
        """Block of captions for a question, fitted beside the live frames."""
        candidates = self.candidates(seen)
        chosen = choose_captions(model, asked.wording, candidates, self.settings, query=asked.question, live=live)
        return captions_context(candidates.read_lines(chosen))

    def candidates(self, seen: LoopObserver) -> Candidates:
        """Captions to choose from, with their embeddings."""
        return seen.candidates()
