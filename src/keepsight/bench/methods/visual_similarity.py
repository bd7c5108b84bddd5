"""Captions retrieved by visual similarity instead of text: the paper's ablation of retrieval."""

from dataclasses import dataclass, replace

from keepsight.asking.candidates import Candidates
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.selected_tokens import mean_tokens


@dataclass(frozen=True)
class VisualSimilarity(Captions):
    """Like `Captions`, with a clip's similarity taken from the mean of its selected visual tokens."""

    def candidates(self, seen: LoopObserver) -> Candidates:
        """Captions, each with the mean of its clip's selected tokens."""
        candidates = seen.candidates()
        return (
            replace(candidates, embeddings=mean_tokens(seen.clips, seen.model.info.dim)) if seen.clips else candidates
        )
