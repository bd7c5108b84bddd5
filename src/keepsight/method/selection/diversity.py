"""Selector by attention and difference: what the caption is about, without the same thing twice."""

from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.method.selection.base import Retaining, Selected, check_clip, count_kept, keep
from keepsight.method.selection.selectors import check_scores


@dataclass(frozen=True)
class Diverse(Retaining):
    """Keep tokens one by one, each with the highest score times distance to the nearest one kept.

    The first is the one with the highest score; ties keep the earlier token. Distances are Euclidean, in float32. Where
    `AttentionTopK` keeps one thing many times, this keeps it once or twice, and then other things and the scene. It is
    farthest-first traversal (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985) weighted by
    attention; without attention, visual tokens are pruned like this in Alvar et al., "DivPrune", arXiv 2503.02175.
    """

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        num_visual_tokens = check_clip(tokens, scores)
        check_scores(scores)
        points, weights = tokens.detach().float(), scores.detach().float()
        chosen = weights.argmax().reshape(1)
        nearest = torch.full_like(weights, torch.inf)
        for _ in range(count_kept(num_visual_tokens, self.retention) - 1):
            # Differences, not products of the tokens, so that equal tokens are exactly 0 apart.
            added = torch.cdist(points, points[chosen[-1:]], compute_mode="donot_use_mm_for_euclid_dist").squeeze(1)
            nearest = torch.minimum(nearest, added)
            ratings = (weights * nearest).index_fill(0, chosen, -1.0)
            chosen = torch.cat([chosen, ratings.argmax().reshape(1)])
        return keep(tokens, chosen.sort().values)
