"""A memory of the tokens that stand for all others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.memory.clips import Clips, keep_rows, num_tokens_of
from keepsight.memory.policy import Capacity

_MAX_ROUNDS = 50


@dataclass(frozen=True)
class Medoids:
    """Cluster the tokens, as many clusters as tokens fit, and keep the medoid of each.

    The medoid is the member with the least sum of distances to the others, which are squared Euclidean ones. Medoids
    and clusters are improved in turn until neither changes (Park and Jun, "A simple and fast algorithm for K-medoids
    clustering", 2009), from a start that is spread out as in k-means++ (Arthur and Vassilvitskii, 2007). The same
    tokens and seed give the same medoids.

    Attributes:
        seed: any whole number, for the start.
    """

    seed: int = 0

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """See `MemoryPolicy.retain`."""
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
    """Squared distances of all pairs, float32 `[num_tokens, num_tokens]` on the CPU; what is not finite counts as 0."""
    points = tokens.float().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    points = points - points.mean(dim=0)  # without the shared mean, less of the squares cancels out
    norms = points.square().sum(dim=1)
    squares = (norms[:, None] - 2 * points @ points.T + norms).clamp(min=0)
    return squares.fill_diagonal_(0).nan_to_num().cpu()


def _k_medoids(squares: Tensor, num_medoids: int, seed: int) -> Tensor:
    """Rows of the medoids, int64 `[num_medoids]`, all different."""
    medoids = _spread_start(squares, num_medoids, seed)
    for _ in range(_MAX_ROUNDS):
        cluster_of_row = squares[:, medoids].argmin(dim=1)
        cluster_of_row[medoids] = torch.arange(num_medoids)  # among equal tokens, each medoid stays in its own
        improved = _nearest_to_all(squares, cluster_of_row)
        if torch.equal(improved, medoids):
            break
        medoids = improved
    return medoids


def _spread_start(squares: Tensor, num_medoids: int, seed: int) -> Tensor:
    """Different rows, each drawn with its squared distance to the nearest of those before as weight."""
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
        if not bool(weights.any()):  # all that is left equals a row that was drawn
            weights = free
    return torch.tensor(rows)


def _nearest_to_all(squares: Tensor, cluster_of_row: Tensor) -> Tensor:
    """The row of each cluster with the least sum of distances to the others, the earliest of equals."""
    together = cluster_of_row[:, None] == cluster_of_row
    by_sum = (squares * together).sum(dim=1).sort(stable=True).indices
    # A stable sort by cluster leaves the best row at the head of each cluster's run.
    by_cluster = by_sum[cluster_of_row[by_sum].sort(stable=True).indices]
    sizes = cluster_of_row.bincount()
    return by_cluster[sizes.cumsum(0) - sizes]
