"""Captions chosen by what was seen instead of by what was said: the paper's ablation of retrieval."""

from dataclasses import dataclass, replace

from keepsight.bench.methods.base import Asked
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.selected_tokens import mean_tokens
from keepsight.evidence import choose_captions
from keepsight.models.protocol import VideoModel
from keepsight.prompts import captions_context


@dataclass(frozen=True)
class VisualSimilarity(Captions):
    """As `Captions`, but a clip is as near to the question as the mean of its selected visual tokens is."""

    def context(self, model: VideoModel, seen: LoopObserver, asked: Asked, *, num_visual_tokens: int = 0) -> str:
        """The captions of the clips whose selected tokens are nearest."""
        if not seen.clips:
            return ""
        candidates = replace(seen.candidates(), embeddings=mean_tokens(seen.clips))
        chosen = choose_captions(
            model, asked.wording, candidates, self.settings, query=asked.question, num_visual_tokens=num_visual_tokens
        )
        return captions_context(candidates.lines[index] for index in chosen)
