"""Exact maximal marginal relevance without comparing all pairs of captions.

Carbonell and Goldstein, "The use of MMR, diversity-based reranking", 1998: captions are taken one at a time, each time
the one with the highest

    lambda * sim(query, caption) - (1 - lambda) * max over those taken of sim(caption, taken)

where sim is the cosine and the maximum over nothing is 0. Taken literally, each of 200 to 350 steps reads all
embeddings again. But the maximum only grows and the value only falls, so a stale value is an upper bound ("lazy
greedy", Minoux 1978): a caption whose bound is below the best known value need not be compared with the latest ones
taken. The result is the same. Comparisons run in batches as matrix products: a pool of the captions with the highest
bounds is updated as a whole, and captions are taken from it while its best is above every bound outside.

Values within `TIE_TOLERANCE` count as equal, since a float32 sum depends on the order of its terms; ties take the
earliest caption.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TIE_TOLERANCE = 1e-6
"""Values closer than this are equal: about ten times the rounding error of a float32 product of unit vectors."""

_DENSE = 1024
"""Up to this many captions, one product over all pairs is faster than lazy evaluation."""

_POOL = 512
"""Number of captions with the highest bounds that are updated together."""

_BLOCK = 64
"""Taken captions compared at once before dropped candidates are removed."""

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def mmr_order(
    embeddings: Floats,
    scales: Floats | None,
    relevance: Floats,
    costs: Indices,
    budget: int,
    lambda_: float,
    *,
    pool_size: int | None = None,
) -> list[int]:
    """Captions in the order taken, until the budget is full.

    A caption that exceeds the remaining budget is skipped; the next best that fits is taken.

    Args:
        embeddings: `[num_captions, dim]`, contiguous rows.
        scales: `[num_captions]`, factors that normalise the rows; None if they are normalised.
        relevance: cosine similarity of each caption with the query, `[num_captions]`.
        costs: tokens of each caption, at least 0, `[num_captions]`.
        budget: total token limit.
        lambda_: weight of relevance against redundancy, from 0 to 1.
        pool_size: captions updated together, at least 1; None compares all pairs if there are few. Affects speed only.
    """
    if pool_size is None and len(embeddings) <= _DENSE:
        rows = embeddings if scales is None else embeddings * scales[:, None]
        return _dense_order(rows, relevance, costs, budget, lambda_)
    return _LazyGreedy(embeddings, scales, relevance, costs, budget, lambda_, pool_size or _POOL).run()


def _dense_order(rows: Floats, relevance: Floats, costs: Indices, budget: int, lambda_: float) -> list[int]:
    """The definition, step by step, over all similarities at once."""
    redundancy = (rows @ rows.T) * np.float32(1 - lambda_)
    gain = relevance * np.float32(lambda_)
    values = gain.copy()
    worst = np.full_like(gain, -np.inf)
    taken: list[int] = []
    left, longest = budget, int(costs.max(initial=0))
    while True:
        if left < longest:
            values[costs > left] = -np.inf
        best = _earliest_best(values)
        if best is None:
            return taken
        taken.append(best)
        left -= int(costs[best])
        np.maximum(worst, redundancy[best], out=worst)
        gain[best] = -np.inf  # for good: its value is recomputed from this
        np.subtract(gain, worst, out=values)


class _LazyGreedy:
    """State of one ranking: an upper bound of each caption's value, and how many taken captions it accounts for."""

    def __init__(
        self,
        embeddings: Floats,
        scales: Floats | None,
        relevance: Floats,
        costs: Indices,
        budget: int,
        lambda_: float,
        pool_size: int,
    ) -> None:
        num_captions, dim = embeddings.shape
        self._embeddings, self._scales, self._costs = embeddings, scales, costs
        self._weight = np.float32(1 - lambda_)
        self._gain: Floats = relevance * np.float32(lambda_)
        self._bounds = self._gain.copy()
        self._num_seen = np.zeros(num_captions, dtype=np.int32)
        self._left, self._longest = budget, int(costs.max(initial=0))
        self._taken: list[int] = []
        self._taken_rows = np.empty((64, dim), dtype=np.float32)
        self._pool_size = pool_size
        self._pool = _Pool.empty(dim)
        self._outside = -np.inf
        """Highest bound outside the pool."""

    def run(self) -> list[int]:
        """Take captions until none fits."""
        self._drop_too_long(self._bounds, self._costs)
        first = _earliest_best(self._bounds)
        if first is None:
            return self._taken
        self._take_first(first)
        while True:
            best = _earliest_best(self._pool.values)
            # Nothing outside may even tie with the best; after a refill this holds if all are current.
            if best is not None and self._pool.values.max() - TIE_TOLERANCE > self._outside:
                self._take_from_pool(best)
            elif best is None and self._outside == -np.inf:
                return self._taken
            else:
                self._refill()

    def _take_first(self, index: int) -> None:
        """Take the first caption. It replaces the initial maximum 0, so values may even rise: update all captions."""
        row = self._note_taken(index, self._rows(np.array([index]))[0])
        similarity = self._embeddings @ row
        if self._scales is not None:
            similarity *= self._scales
        values = self._gain - self._weight * similarity
        values[self._bounds == -np.inf] = -np.inf
        values[index] = -np.inf
        self._bounds, self._outside = values, np.inf
        self._num_seen[:] = 1
        self._drop_too_long(self._bounds, self._costs)

    def _take_from_pool(self, place: int) -> None:
        """Take a caption from the pool and update the pool at once."""
        pool = self._pool
        row = self._note_taken(int(pool.members[place]), pool.rows[place])
        np.minimum(pool.values, pool.gain - self._weight * (pool.rows @ row), out=pool.values)
        pool.values[place] = -np.inf
        self._drop_too_long(pool.values, pool.costs)

    def _note_taken(self, index: int, row: Floats) -> Floats:
        num_taken = len(self._taken)
        if num_taken == len(self._taken_rows):
            self._taken_rows = np.concatenate([self._taken_rows, np.empty_like(self._taken_rows)])
        self._taken_rows[num_taken] = row
        self._taken.append(index)
        self._left -= int(self._costs[index])
        noted: Floats = self._taken_rows[num_taken]
        return noted

    def _drop_too_long(self, values: Floats, costs: Indices) -> None:
        """Drop what no longer fits; the remaining budget only shrinks."""
        if self._left < self._longest:
            values[costs > self._left] = -np.inf

    def _refill(self) -> None:
        """Make a pool of the captions with the highest bounds, and update it.

        Captions that tie with the pool's last member join it, so that ties resolve to the earliest.
        """
        self._bounds[self._pool.members] = self._pool.values
        self._num_seen[self._pool.members] = len(self._taken)
        self._drop_too_long(self._bounds, self._costs)
        lowest = -np.inf
        if len(self._bounds) > self._pool_size:
            lowest = np.partition(self._bounds, -self._pool_size)[-self._pool_size] - TIE_TOLERANCE
        inside = (self._bounds >= lowest) & (self._bounds > -np.inf)
        self._outside = self._bounds[~inside].max(initial=-np.inf)
        candidates = np.flatnonzero(inside)
        current = self._num_seen[candidates] == len(self._taken)
        fresh, rows = self._bring_up_to_date(candidates[~current])
        self._pool = self._pooled(np.concatenate([candidates[current], fresh]), rows)

    def _bring_up_to_date(self, candidates: Indices) -> tuple[Indices, Floats]:
        """Compare candidates with the taken captions they lack; return those that stay above all bounds outside."""
        rows, num_taken = self._rows(candidates), len(self._taken)
        start = int(self._num_seen[candidates].min(initial=num_taken))
        while start < num_taken and len(candidates):
            end = min(start + _BLOCK, num_taken)
            # Maxima over the first axis process whole rows, which is fast in NumPy.
            similarity = (self._taken_rows[start:end] @ rows.T).max(axis=0)
            values = np.minimum(self._bounds[candidates], self._gain[candidates] - self._weight * similarity)
            self._bounds[candidates] = values
            self._num_seen[candidates] = np.maximum(self._num_seen[candidates], end)
            start, above = end, values >= self._outside - TIE_TOLERANCE
            if not above.all():
                candidates, rows = candidates[above], rows[above]
        return candidates, rows

    def _pooled(self, members: Indices, fresh_rows: Floats) -> "_Pool":
        """A pool in time order; the last members come with their rows."""
        rows = self._rows(members[: len(members) - len(fresh_rows)])
        order = np.argsort(members)
        members = members[order]
        rows = np.concatenate([rows, fresh_rows])[order]
        return _Pool(members, rows, self._bounds[members], self._gain[members], self._costs[members])

    def _rows(self, indices: Indices) -> Floats:
        """Normalised embeddings, `[num_indices, dim]`."""
        rows: Floats = self._embeddings.take(indices, axis=0)
        if self._scales is not None:
            rows *= self._scales[indices, None]
        return rows


@dataclass(frozen=True)
class _Pool:
    """Captions in time order with exact values, and what is needed to keep them exact."""

    members: Indices
    rows: Floats
    values: Floats
    gain: Floats
    costs: Indices

    @classmethod
    def empty(cls, dim: int) -> "_Pool":
        nothing, none = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
        return cls(none, np.zeros((0, dim), dtype=np.float32), nothing, nothing, none)


def _earliest_best(values: Floats) -> int | None:
    """First place with the highest value, or one that ties with it; None if all are gone."""
    top = values.max(initial=-np.inf)
    return None if top == -np.inf else int((values >= top - TIE_TOLERANCE).argmax())
