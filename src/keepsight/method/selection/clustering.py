"""Selector by k-means centroids: the paper's strongest baseline."""

from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.selection.base import Retaining, Selected, check_clip, count_kept
from keepsight.method.selection.selectors import mean_of_groups


@dataclass(frozen=True)
class KMeans(Retaining):
    """Replace the tokens with `num_kept` centroids: Lloyd's algorithm initialised by k-means++.

    Centroids are ordered by the mean position of their members (ties: by first member). Each cluster is represented by
    the member nearest to its centroid; those positions, sorted, are `Selected.indices`, so row i of the tokens need not
    belong to `indices[i]`. Distances are Euclidean, in float32. Equal tokens and seed give equal results; no cluster is
    empty, even among equal tokens. It is slow on a CPU: 3,136 tokens of 896 dims took 3.4 s on one core, the other
    selectors at most 16 ms.

    Sources: Lloyd, "Least squares quantization in PCM", 1982; Arthur and Vassilvitskii, "k-means++", 2007.

    Attributes:
        seed: any integer, for the initialisation.
        max_iterations: iteration limit; stops earlier when no token changes its cluster.
    """

    seed: int = 0
    max_iterations: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_iterations < 1:
            raise SettingError(f"max_iterations of k-means must be at least 1, got {self.max_iterations}")

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select centroids; scores are ignored."""
        num_visual_tokens = check_clip(tokens, scores)
        num_kept = count_kept(num_visual_tokens, self.retention)
        points = tokens.detach().float()
        # Centring reduces cancellation when distances are computed from squares.
        shift = points.mean(dim=0)
        centred = points - shift
        cluster_of_token, centroids = self._cluster(centred, num_kept)
        order, nearest_members = _order_in_time(centred, cluster_of_token, centroids)
        return Selected(
            tokens=(centroids[order] + shift).to(tokens.dtype),
            indices=nearest_members.sort().values,
        )

    def _cluster(self, points: Tensor, num_clusters: int) -> tuple[Tensor, Tensor]:
        """Cluster of each point `[num_points]`, and centroids `[num_clusters, dim]`."""
        generator = torch.Generator().manual_seed(self.seed)
        centroids = points[_spread_start(points, num_clusters, generator)]
        cluster_of_point = _assign(points, centroids)
        for _ in range(self.max_iterations):
            centroids = mean_of_groups(points, cluster_of_point, num_clusters)
            changed = _assign(points, centroids)
            if torch.equal(changed, cluster_of_point):
                break
            cluster_of_point = changed
        return cluster_of_point, mean_of_groups(points, cluster_of_point, num_clusters)


def _spread_start(points: Tensor, num_clusters: int, generator: torch.Generator) -> Tensor:
    """Indices of distinct initial points, each drawn with weight squared distance to those before (k-means++)."""
    num_points = points.shape[0]
    chosen = torch.zeros(num_points, dtype=torch.bool)
    distances = torch.full((num_points,), torch.inf)
    starts: list[int] = []
    draws = torch.rand(num_clusters, generator=generator, dtype=torch.float64)
    for draw in draws.tolist():
        weights = distances.double() if starts else torch.ones(num_points, dtype=torch.float64)
        weights[chosen] = 0.0
        if not bool(weights.sum() > 0):  # every remaining point equals an initial one: any will do
            weights = (~chosen).double()
        cumulative = weights.cumsum(0)
        target = cumulative[-1] * draw
        index = int(torch.searchsorted(cumulative, target, right=True).clamp(max=num_points - 1))
        if bool(chosen[index]) or bool(weights[index] == 0):
            index = int(weights.argmax())
        starts.append(index)
        chosen[index] = True
        distances = torch.minimum(distances, (points - points[index]).square().sum(dim=1).cpu())
    return torch.tensor(starts, device=points.device)


def _squared_distances(points: Tensor, centroids: Tensor) -> Tensor:
    """Squared Euclidean distances `[num_points, num_clusters]` by the expanded square: one matrix product."""
    products = points @ centroids.T
    return (points.square().sum(dim=1, keepdim=True) - 2 * products + centroids.square().sum(dim=1)).clamp(min=0)


def _assign(points: Tensor, centroids: Tensor) -> Tensor:
    """Nearest centroid of each point, int64 `[num_points]`; an empty cluster takes a point far from its own."""
    distances, cluster_of_point = _squared_distances(points, centroids).min(dim=1)
    sizes = cluster_of_point.bincount(minlength=centroids.shape[0])
    for empty in (sizes == 0).nonzero().flatten().tolist():
        can_leave = sizes[cluster_of_point] > 1
        moved = int(torch.where(can_leave, distances, -1.0).argmax())
        sizes[cluster_of_point[moved]] -= 1
        sizes[empty] = 1
        cluster_of_point[moved] = empty
        distances[moved] = 0.0
    return cluster_of_point


def _order_in_time(points: Tensor, cluster_of_point: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Clusters ordered by mean position of members, and the nearest member of each, both `[num_clusters]`."""
    num_clusters = centroids.shape[0]
    # Sums of integers below 2**53 are exact in float64, so the order is too.
    positions = torch.arange(points.shape[0], dtype=torch.float64, device=points.device)
    sizes = cluster_of_point.bincount(minlength=num_clusters)
    means = torch.zeros(num_clusters, dtype=torch.float64, device=points.device)
    means = means.index_add(0, cluster_of_point, positions) / sizes
    distances = (points - centroids[cluster_of_point]).square().sum(dim=1)
    by_distance = distances.sort(stable=True).indices
    # A stable sort by cluster puts the nearest member first in each cluster's run.
    by_cluster = by_distance[cluster_of_point[by_distance].sort(stable=True).indices]
    heads = sizes.cumsum(0) - sizes
    firsts = cluster_of_point.sort(stable=True).indices[heads]
    by_first = firsts.sort().indices
    return by_first[means[by_first].sort(stable=True).indices], by_cluster[heads]
