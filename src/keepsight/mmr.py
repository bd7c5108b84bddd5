"""Maximal marginal relevance, exact, without comparing every caption with every other.

Carbonell and Goldstein, "The use of MMR, diversity-based reranking", 1998: captions are taken one after another, each
time the one with the highest

    lambda * sim(query, caption) - (1 - lambda) * max over those taken of sim(caption, taken)

where sim is the cosine and the maximum over nothing is 0. Taken literally, each of some 200 to 350 steps reads all
embeddings once more. But with every step the maximum can only grow and the value only fall, so a value that is out of
date is an upper bound ("lazy greedy", Minoux 1978): a caption whose bound lies below the best known value need not be
compared with the latest ones taken. The result is the same.

Values that differ by no more than `TIE_TOLERANCE` count as equal, as a sum in float32 depends on the order of its
terms; of equals the earliest caption is taken, so of identical captions always the earliest one left.
"""

import numpy as np
from numpy.typing import NDArray

TIE_TOLERANCE = 1e-6
"""Values closer than this are equal: about ten times the rounding error of a float32 product of unit vectors."""

_BATCH = 128
"""Captions that are brought up to date together."""

_POOL = 64
"""Best captions that are kept up to date at every step."""

_NUM_EAGER = 1024
"""Up to so many captions, all are in the pool: comparing them is cheaper than finding out which to compare."""

_BLOCKS = (16, 32, 64)
"""How many of the captions taken are compared with at once, before those that have dropped out are set aside."""

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
    num_eager: int = _NUM_EAGER,
) -> list[int]:
    """Captions in the order in which they are taken until the budget is full.

    A caption that costs more than what is left of the budget is passed over; the next best that fits is taken.

    Args:
        embeddings: `[num_captions, dim]`, contiguous rows.
        scales: `[num_captions]`, what each row is multiplied with to have length 1; None where rows have it already.
        relevance: cosine similarity of each caption with the query, `[num_captions]`.
        costs: tokens of each caption, 0 or more, `[num_captions]`.
        budget: tokens that the captions taken may have together.
        lambda_: weight of relevance against redundancy, from 0 to 1.
        num_eager: up to so many captions, all are compared at every step; it decides on speed only.
    """
    pool_size = len(costs) if len(costs) <= num_eager else min(_POOL, len(costs))
    return _LazyGreedy(embeddings, scales, relevance, costs, budget, lambda_, pool_size).run()


class _LazyGreedy:
    """The state of one ranking: an upper bound of each caption's value and how many taken ones it accounts for."""

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
        self._pool = np.zeros(pool_size, dtype=np.int64)
        self._pool_rows = np.zeros((len(self._pool), dim), dtype=np.float32)
        self._pool_size = 0
        self._drop_too_long()

    def run(self) -> list[int]:
        """Take captions until none that fits is left."""
        while True:
            top = self._bounds.max(initial=-np.inf)
            if top == -np.inf:
                return self._taken
            # The earliest caption that may be best. Known exactly, it is: no bound is higher by more than a tie.
            earliest = int((self._bounds >= top - TIE_TOLERANCE).argmax())
            if self._num_seen[earliest] == len(self._taken):
                self._take(earliest)
            else:
                self._refresh(earliest)

    def _take(self, index: int) -> None:
        """Take a caption; every caption sees the first one, later ones only the pool."""
        num_taken = len(self._taken)
        if num_taken == len(self._taken_rows):
            self._taken_rows = np.concatenate([self._taken_rows, np.empty_like(self._taken_rows)])
        row = self._taken_rows[num_taken]
        scale = 1 if self._scales is None else self._scales[index]
        np.multiply(self._embeddings[index], scale, out=row)
        self._taken.append(index)
        self._left -= int(self._costs[index])
        self._bounds[index] = -np.inf
        if num_taken == 0:
            self._see_first(row)
        else:
            members = self._pool[: self._pool_size]
            values = self._gain[members] - self._weight * (self._pool_rows[: self._pool_size] @ row)
            self._bounds[members] = np.minimum(self._bounds[members], values)
            self._num_seen[members] = len(self._taken)
        self._drop_too_long()

    def _see_first(self, row: Floats) -> None:
        """With the first caption taken, the maximum stands where 0 stood, and a value may even rise: no bound held."""
        similarity = self._embeddings @ row
        if self._scales is not None:
            similarity *= self._scales
        values = self._gain - self._weight * similarity
        values[self._bounds == -np.inf] = -np.inf
        self._bounds = values
        self._num_seen[:] = 1
        if len(self._pool) == len(values):
            self._pool_up(np.arange(len(values)), self._rows(np.arange(len(values))))

    def _drop_too_long(self) -> None:
        """What does not fit now will never fit."""
        if self._left < self._longest:
            self._bounds[self._costs > self._left] = -np.inf

    def _rows(self, indices: Indices) -> Floats:
        """Embeddings of length 1, `[num_indices, dim]`."""
        rows: Floats = self._embeddings[indices]
        if self._scales is not None:
            rows *= self._scales[indices, None]
        return rows

    def _refresh(self, earliest: int) -> None:
        """Bring the captions with the highest bounds up to date, as far as they stay above the best known value."""
        candidates = self._outdated(earliest)
        floor = self._bounds[self._pool[: self._pool_size]].max(initial=-np.inf) - TIE_TOLERANCE
        rows, values = self._rows(candidates), self._bounds[candidates]
        start, num_taken = int(self._num_seen[candidates].min()), len(self._taken)
        for block in (*_BLOCKS, num_taken):
            end = min(start + block, num_taken)
            # Maxima over the first axis: whole rows at a time, where NumPy is fast.
            similarity = (self._taken_rows[start:end] @ rows.T).max(axis=0)
            values = np.minimum(values, self._gain[candidates] - self._weight * similarity)
            self._bounds[candidates] = values
            self._num_seen[candidates] = np.maximum(self._num_seen[candidates], end)
            start, above = end, values >= floor
            if start == num_taken or not above.any():
                break
            candidates, rows, values = candidates[above], rows[above], values[above]
        if start == num_taken:
            self._pool_up(candidates, rows)

    def _outdated(self, earliest: int) -> Indices:
        """The captions with the highest bounds that have not seen all taken ones, `earliest` among them."""
        if len(self._bounds) > _BATCH:
            highest = np.argpartition(self._bounds, -_BATCH)[-_BATCH:]
        else:
            highest = np.arange(len(self._bounds))
        outdated = (self._num_seen[highest] < len(self._taken)) & (self._bounds[highest] > -np.inf)
        highest = highest[outdated]
        return highest if earliest in highest else np.append(highest, earliest)

    def _pool_up(self, candidates: Indices, rows: Floats) -> None:
        """Put captions that are up to date into the pool, in the places of the worst."""
        room = len(self._pool)
        if len(candidates) > room:
            best = np.argpartition(self._bounds[candidates], -room)[-room:]
            candidates, rows = candidates[best], rows[best]
        num_free = min(room - self._pool_size, len(candidates))
        places = np.arange(self._pool_size, self._pool_size + num_free)
        if num_free < len(candidates):
            worst = np.argsort(self._bounds[self._pool[: self._pool_size]], kind="stable")
            places = np.concatenate([places, worst[: len(candidates) - num_free]])
        self._pool[places], self._pool_rows[places] = candidates, rows
        self._pool_size += num_free
