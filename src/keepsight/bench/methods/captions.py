"""Keepsight's default: captions retrieved from the journal, without frames (paper, section 3)."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from keepsight.asking.candidates import Candidates
from keepsight.asking.evidence import choose_captions, live_input, longest_reply
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
        """Answer from retrieved captions, and from the frames without one where the settings show them."""
        max_new_tokens = longest_reply(model, self.settings)
        live = self.live(model, seen, asked)
        context = self.context(model, seen, asked, live=live)
        return ask_model(model, context, asked, live, max_new_tokens=max_new_tokens)

    def live(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> VisualInput | None:
        """Newest frames without a caption that fit: the product's rule (`asking.evidence.LiveUse`)."""
        settings = self.settings
        if not (settings.live or (settings.live_at_start and not seen.clips)):
            return None
        return live_input(model, asked.wording, seen.pending, longest_reply(model, settings))

    def context(self, model: VideoModel, seen: LoopObserver, asked: Asked, *, live: VisualInput | None = None) -> str:
        """Block of captions for a question, fitted beside the live frames."""
        candidates = self.candidates(seen)
        chosen = choose_captions(model, asked.wording, candidates, self.settings, query=asked.question, live=live)
        return captions_context(candidates.read_lines(chosen))

    def candidates(self, seen: LoopObserver) -> Candidates:
        """Captions to choose from, with their embeddings."""
        return seen.candidates()
