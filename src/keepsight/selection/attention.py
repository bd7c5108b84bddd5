"""The paper's selector: what the caption attended to most."""

from dataclasses import dataclass

from torch import Tensor

from keepsight.errors import ModelError
from keepsight.selection.base import Retaining, Selected, check_clip, count_kept, keep


@dataclass(frozen=True)
class AttentionTopK(Retaining):
    """Keep the tokens with the highest scores over the whole clip (paper, section 3, arXiv 2510.17364).

    Of equal scores the earlier token is kept. Scores must hold no NaN; their scale does not matter.
    """

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """See `Selector.select`."""
        num_visual_tokens = check_clip(tokens, scores)
        num_nan = int(scores.isnan().sum())
        if num_nan:
            raise ModelError(
                f"{num_nan} of {num_visual_tokens} attention scores are NaN; the model's attention overflowed"
            )
        # topk leaves the order of equal scores open; a stable sort keeps the earlier one first.
        ranked = scores.detach().sort(descending=True, stable=True).indices
        return keep(tokens, ranked[: count_kept(num_visual_tokens, self.retention)].sort().values)
