"""Captions chosen by what was seen instead of by what was said: the paper's ablation of retrieval."""

from dataclasses import dataclass, replace

from keepsight.asking.candidates import Candidates
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.selected_tokens import mean_tokens


@dataclass(frozen=True)
class VisualSimilarity(Captions):
    """As `Captions`, but a clip is as near to the question as the mean of its selected visual tokens is."""

    def candidates(self, seen: LoopObserver) -> Candidates:
        """The captions, each with the mean of its clip's selected tokens."""
        candidates = seen.candidates()
        return (
            replace(candidates, embeddings=mean_tokens(seen.clips, seen.model.info.dim)) if seen.clips else candidates
        )
