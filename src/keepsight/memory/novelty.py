"""A memory of tokens that look different from one another, whatever will be asked."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from keepsight.memory.clips import Clips, keep_rows, num_tokens_of
from keepsight.memory.policy import Capacity


@dataclass(frozen=True)
class Novelty:
    """Keep the newest clip, then again and again the token that is farthest from all that are kept.

    This is farthest-point clustering (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985) with
    the cosine distance: norms of visual tokens differ widely, and a token is not new for being long. Of equals the
    newer token is kept. A newest clip that has more tokens than fit is thinned out in the same way, from its last
    token; nothing older is kept then.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """See `MemoryPolicy.retain`."""
        num_tokens, budget_tokens = num_tokens_of(clips), capacity.budget_tokens
        if num_tokens <= budget_tokens:
            return clips
        if budget_tokens == 0:
            return ()
        num_newest = clips[-1].num_tokens
        if num_newest >= budget_tokens:
            clips, num_tokens, num_start = clips[-1:], num_newest, 1
        else:
            num_start = num_newest
        newest_first = torch.cat([clip.tokens for clip in clips]).flip(0)
        kept = farthest_points(newest_first, num_start, budget_tokens)
        return keep_rows(clips, kept.flip(0))


def farthest_points(tokens: Tensor, num_start: int, num_kept: int) -> Tensor:
    """The first rows and those that are added to them, each the farthest from all rows kept before it.

    All distances are computed at once: `num_tokens` squared times 4 bytes, 44 MB for a full memory of the paper's size.

    Args:
        tokens: `[num_tokens, dim]`.
        num_start: rows kept from the start, 1 or more.
        num_kept: rows kept in the end, `num_start` to `num_tokens`.

    Returns:
        bool `[num_tokens]` on the CPU, `num_kept` of them true.
    """
    directions = normalize(tokens.float())
    likeness = (directions @ directions.T).nan_to_num().cpu()  # a token that is not finite is like none
    kept = torch.zeros(len(tokens), dtype=torch.bool)
    kept[:num_start] = True
    nearest = likeness[:num_start].amax(dim=0)
    for _ in range(num_kept - num_start):
        farthest = int(nearest.masked_fill(kept, torch.inf).argmin())
        kept[farthest] = True
        nearest = torch.maximum(nearest, likeness[farthest])
    return kept
