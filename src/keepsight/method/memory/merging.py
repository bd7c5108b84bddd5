"""Memory policies based on token similarity: merging of neighbours, and medoids of clusters."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from keepsight.method.memory.clips import Capacity, Clips, keep_rows, num_tokens_of


@dataclass(frozen=True)
class Merge:
    """Merge the two most similar temporally adjacent tokens until the rest fits.

    After MovieChat (arXiv 2307.16449), whose long-term memory averages the most similar adjacent frames; here the units
    are tokens, in one memory. Similarity is the cosine; ties merge the earlier pair. The merged token is the plain mean
    of the two, has the mean of their scores, and takes the earlier one's position and clip.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        if num_tokens_of(clips) <= capacity.budget_tokens:
            return clips
        if capacity.budget_tokens == 0:
            return ()
        tokens = torch.cat([clip.tokens for clip in clips])  # a copy, in which pairs are merged
        scores = torch.cat([clip.scores for clip in clips])
        kept, changed = _merge(tokens, scores, capacity.budget_tokens)
        sizes = [clip.num_tokens for clip in clips]
        parts = [torch.split(values, sizes) for values in (tokens, scores, changed)]
        updated = tuple(
            replace(clip, tokens=new_tokens.clone(), scores=new_scores.clone()) if bool(is_changed.any()) else clip
            for clip, new_tokens, new_scores, is_changed in zip(clips, *parts, strict=True)
        )
        return keep_rows(updated, kept)


def _merge(tokens: Tensor, scores: Tensor, num_left: int) -> tuple[Tensor, Tensor]:
    """Merge pairs in place, the later row of each into the earlier.

    Args:
        tokens: `[num_tokens, dim]`, modified in place.
        scores: float32 `[num_tokens]`, modified in place.
        num_left: rows to keep, at least 1.

    Returns:
        bool `[num_tokens]` twice: rows that remain, and rows that others were merged into.
    """
    left = list(range(len(tokens)))
    changed = torch.zeros(len(tokens), dtype=torch.bool)
    likeness = cosine_similarity(tokens[:-1].float(), tokens[1:].float()).nan_to_num().tolist()
    while len(left) > num_left:
        place = max(range(len(likeness)), key=likeness.__getitem__)
        earlier, later = left[place], left.pop(place + 1)
        tokens[earlier] = (tokens[earlier].float() + tokens[later].float()) / 2
        scores[earlier] = (scores[earlier] + scores[later]) / 2
        changed[earlier] = True
        del likeness[place]
        for pair in (place - 1, place):
            if 0 <= pair < len(likeness):
                likeness[pair] = _likeness(tokens[left[pair]], tokens[left[pair + 1]])
    kept = torch.zeros(len(tokens), dtype=torch.bool)
    kept[left] = True
    return kept, changed


def _likeness(first: Tensor, second: Tensor) -> float:
    return float(cosine_similarity(first.float(), second.float(), dim=0).nan_to_num())


_MAX_ROUNDS = 50


@dataclass(frozen=True)
class Medoids:
    """Cluster the tokens into as many clusters as tokens fit, and keep each cluster's medoid.

    The medoid is the member with the least sum of squared Euclidean distances to the others. Medoids and clusters are
    updated in turn until neither changes (Park and Jun, "A simple and fast algorithm for K-medoids clustering", 2009),
    initialised as in k-means++ (Arthur and Vassilvitskii, 2007). Equal tokens and seed give equal medoids.

    Attributes:
        seed: any integer, for the initialisation.
    """

    seed: int = 0

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        num_tokens = num_tokens_of(clips)
        if num_tokens <= capacity.budget_tokens:
            return clips
        if capacity.budget_tokens == 0:
            return ()
        squares = _squared_distances(torch.cat([clip.tokens for clip in clips]))
        kept = torch.zeros(num_tokens, dtype=torch.bool)
        kept[_k_medoids(squares, capacity.budget_tokens, self.seed)] = True
        return keep_rows(clips, kept)


def _squared_distances(tokens: Tensor) -> Tensor:
    """Squared distances of all pairs, float32 `[num_tokens, num_tokens]` on the CPU; non-finite values count as 0."""
    points = tokens.float().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    points = points - points.mean(dim=0)  # centring reduces cancellation in the squares
    norms = points.square().sum(dim=1)
    squares = (norms[:, None] - 2 * points @ points.T + norms).clamp(min=0)
    return squares.fill_diagonal_(0).nan_to_num().cpu()


def _k_medoids(squares: Tensor, num_medoids: int, seed: int) -> Tensor:
    """Rows of the medoids, int64 `[num_medoids]`, distinct."""
    medoids = _spread_start(squares, num_medoids, seed)
    for _ in range(_MAX_ROUNDS):
        cluster_of_row = squares[:, medoids].argmin(dim=1)
        cluster_of_row[medoids] = torch.arange(num_medoids)  # among equal tokens, each medoid stays in its own cluster
        improved = _nearest_to_all(squares, cluster_of_row)
        if torch.equal(improved, medoids):
            break
        medoids = improved
    return medoids


def _spread_start(squares: Tensor, num_medoids: int, seed: int) -> Tensor:
    """Distinct rows, each drawn with probability proportional to its squared distance to the nearest earlier one."""
    generator = torch.Generator().manual_seed(seed)
    free = torch.ones(len(squares), dtype=torch.float64)
    weights, rows = free, []
    nearest = torch.full((len(squares),), torch.inf)
    for _ in range(num_medoids):
        row = int(torch.multinomial(weights, 1, generator=generator))
        rows.append(row)
        free[row] = 0
        nearest = torch.minimum(nearest, squares[row])
        weights = nearest * free
        if not bool(weights.any()):  # every remaining row equals a drawn one
            weights = free
    return torch.tensor(rows)


def _nearest_to_all(squares: Tensor, cluster_of_row: Tensor) -> Tensor:
    """Row of each cluster with the least sum of distances to the others; ties go to the earliest."""
    together = cluster_of_row[:, None] == cluster_of_row
    by_sum = (squares * together).sum(dim=1).sort(stable=True).indices
    # A stable sort by cluster puts the best row first in each cluster's run.
    by_cluster = by_sum[cluster_of_row[by_sum].sort(stable=True).indices]
    sizes = cluster_of_row.bincount()
    return by_cluster[sizes.cumsum(0) - sizes]
