"""Retrievers: which captions a question is answered from (paper, section 3, arXiv 2510.17364).

All share two rules. If all captions fit into the budget, all are used. Otherwise captions are taken in rank order until
the budget is full: one that exceeds the remaining budget is skipped and the next tried, so a long caption does not
block the rest. The result is in time order.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.incoming import short
from keepsight.method.mmr import Floats, Indices, mmr_order
from keepsight.plugins import Part
from keepsight.settings import PARTS

Embeddings = NDArray[np.floating] | Tensor
"""Real numbers in a NumPy array or a CPU tensor."""

Costs = Sequence[int] | NDArray[np.integer]


class Retriever(Protocol):
    """Rule for which captions to answer from. Has settings, never state."""

    def choose(self, embeddings: Embeddings, query: Embeddings, costs: Costs, budget: int) -> list[int]:
        """Choose captions, as increasing indices (time order).

        Args:
            embeddings: mean embedding of each caption in time order, `[num_captions, dim]`; float32 rows are read in
                place, others are copied.
            query: mean embedding of the question, `[dim]`, not necessarily normalised.
            costs: tokens of each caption in the prompt, at least 0, `[num_captions]`.
            budget: total token limit, at least 0.

        Raises:
            SettingError: the shapes do not match, a cost or the budget is negative, or a number is not finite.
        """


@dataclass(frozen=True, eq=False)
class _Task:
    """Checked and converted arguments of `Retriever.choose`."""

    rows: Floats
    query: Floats
    costs: Indices
    budget: int

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.query.shape != self.rows.shape[1:] or self.costs.shape != self.rows.shape[:1]:
            raise SettingError(
                "shapes must match: embeddings [num_captions, dim], query [dim] and costs [num_captions], "
                f"got {list(self.rows.shape)}, {list(self.query.shape)} and {list(self.costs.shape)}"
            )
        smallest = int(self.costs.min(initial=0))
        if self.budget < 0 or smallest < 0:
            raise SettingError(f"budget and costs must be at least 0 tokens, got {self.budget} and {smallest}")

    def scales(self) -> Floats:
        """Factors that normalise each row, `[num_captions]`; 0 for a row of zeros."""
        return _inverse_lengths(self.rows)

    def relevance(self, scales: Floats) -> Floats:
        """Cosine similarity of each row to the query, `[num_captions]`.

        Args:
            scales: see `scales`.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            similarity: Floats = self.rows @ (self.query * _inverse_lengths(self.query[None])[0])
        if not np.isfinite(similarity).all():
            raise SettingError("embeddings and query must be finite, got NaN or infinity from the model")
        return similarity * scales


class _Ranked(ABC):
    """Base with the module's two rules around a strategy's rank order."""

    def choose(self, embeddings: Embeddings, query: Embeddings, costs: Costs, budget: int) -> list[int]:
        cost_array = np.asarray(costs, dtype=np.int64)
        task = _Task(_floats(embeddings), _floats(query), cost_array, budget)
        if cost_array.sum() <= budget:
            return list(range(len(cost_array)))
        return _fill(self._rank(task), cost_array, budget)

    @abstractmethod
    def _rank(self, task: _Task) -> Iterable[int]:
        """Captions in rank order; may omit those that would not be taken."""


@dataclass(frozen=True)
class MMR(_Ranked):
    """Maximal marginal relevance over cosine similarities of mean embeddings (see `mmr`).

    A caption skipped for its length makes no other redundant.

    Attributes:
        lambda_: weight of relevance against redundancy, between 0 and 1; not given in the paper.
        pool_budgets: size of the pool of most relevant captions, in multiples of the budget, at least 1; None for all
            captions.

    Raises:
        SettingError: lambda is outside 0 to 1, or the pool is smaller than the budget.
    """

    lambda_: float = 0.5
    pool_budgets: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.lambda_ <= 1.0:
            raise SettingError(f"mmr_lambda must be between 0 and 1, got {self.lambda_}")
        if self.pool_budgets is not None and not self.pool_budgets >= 1:
            raise SettingError(f"mmr_pool_budgets must be at least 1, or None, got {self.pool_budgets}")

    def _rank(self, task: _Task) -> Iterable[int]:
        scales = task.scales()
        relevance = task.relevance(scales)
        pool = self._pool(task, relevance)
        if pool is None:
            return mmr_order(task.rows, scales, relevance, task.costs, task.budget, self.lambda_)
        rows = task.rows[pool] * scales[pool, None]
        order = mmr_order(rows, None, relevance[pool], task.costs[pool], task.budget, self.lambda_)
        return (int(index) for index in pool[order])

    def _pool(self, task: _Task, relevance: Floats) -> Indices | None:
        """Indices of the pool in time order, None for all captions; ties go to the earlier caption."""
        if self.pool_budgets is None or task.costs.sum() <= self.pool_budgets * task.budget:
            return None
        ranked = np.argsort(-relevance, kind="stable")
        num_fitting = int(np.searchsorted(task.costs[ranked].cumsum(), self.pool_budgets * task.budget, side="right"))
        return np.sort(ranked[: max(1, num_fitting)])


@dataclass(frozen=True)
class Similarity(_Ranked):
    """Captions with the highest cosine similarity to the question, redundant or not; ties go to the earlier."""

    def _rank(self, task: _Task) -> Iterable[int]:
        relevance = task.relevance(task.scales())
        return (int(index) for index in np.argsort(-relevance, kind="stable"))


@dataclass(frozen=True)
class Recency(_Ranked):
    """Newest captions."""

    def _rank(self, task: _Task) -> Iterable[int]:
        return reversed(range(len(task.costs)))


@dataclass(frozen=True)
class Random(_Ranked):
    """Captions drawn uniformly without replacement: a baseline, deterministic by seed and number of captions.

    Attributes:
        seed: at least 0.

    Raises:
        SettingError: the seed is negative.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SettingError(f"seed must be at least 0, got {self.seed}")

    def _rank(self, task: _Task) -> Iterable[int]:
        return (int(index) for index in np.random.default_rng(self.seed).permutation(len(task.costs)))


@dataclass(frozen=True)
class All(Recency):
    """All captions. If they do not fit, the newest, like `Recency`: the budget always holds."""


RETRIEVERS: Final[Mapping[str, type[Retriever]]] = MappingProxyType(
    {"mmr": MMR, "similarity": Similarity, "recency": Recency, "random": Random, "all": All}
)
"""Built-in retrievers by name; the first is the default."""


def make_retriever(
    name: str | Part = "mmr", *, mmr_lambda: float = 0.5, mmr_pool_budgets: float | None = None, seed: int = 0
) -> Retriever:
    """Make a retriever by name, ignoring settings it lacks; an object is returned unchanged.

    Raises:
        SettingError: the name is unknown, or one of its settings is not allowed.
    """
    settings = {"lambda_": mmr_lambda, "pool_budgets": mmr_pool_budgets, "seed": seed}
    made: Retriever = PARTS["retriever"].make(name, RETRIEVERS, settings)
    return made


def choose(retriever: Retriever, embeddings: Embeddings, query: Embeddings, costs: Costs, budget: int) -> list[int]:
    """What a retriever chooses (see `Retriever.choose`), checked.

    Raises:
        PlugInError: the retriever is a plug-in that fails.
    """
    with PARTS["retriever"].calling(retriever, "choose"):
        return _checked(retriever.choose(embeddings, query, costs, budget), len(costs))


def _checked(chosen: object, num_captions: int) -> list[int]:
    """Check that a retriever returned indices of captions in time order.

    Raises:
        SettingError: it did not.
    """
    try:
        indices = [operator.index(one) for one in chosen]  # type: ignore[attr-defined]
    except TypeError:
        raise SettingError(f"the result must be a list of whole numbers, got {type(chosen).__name__}") from None
    increase = all(first < second for first, second in pairwise(indices))
    if indices and not (increase and indices[0] >= 0 and indices[-1] < num_captions):
        raise SettingError(
            f"chosen indices must be strictly increasing, from 0 to {num_captions - 1}, got {short(indices)}"
        )
    return indices


def cosine_similarities(embeddings: Embeddings, query: Embeddings) -> Floats:
    """Cosine similarity of each row with a query, float32 `[num_captions]`; with a vector of zeros it is 0.

    Args:
        embeddings: `[num_captions, dim]`.
        query: `[dim]`.

    Raises:
        SettingError: the shapes do not match or a number is not finite.
    """
    rows = _floats(embeddings)
    task = _Task(rows, _floats(query), np.zeros(len(rows), dtype=np.int64), budget=0)
    return task.relevance(task.scales())


def _fill(ranked: Iterable[int], costs: Indices, budget: int) -> list[int]:
    """Indices taken in rank order until the budget is full (see the module's rules), in time order."""
    taken: list[int] = []
    left, smallest = budget, int(costs.min())
    for index in ranked:
        if left < smallest:
            break
        cost = int(costs[index])
        if cost <= left:
            taken.append(index)
            left -= cost
    return sorted(taken)


def _inverse_lengths(rows: Floats) -> Floats:
    """Factors that normalise each row; 0 for a row of zeros."""
    squares = np.einsum("nd,nd->n", rows, rows)
    inverse: Floats = np.zeros_like(squares)
    np.divide(1, np.sqrt(squares), out=inverse, where=squares > 0)
    return inverse


def _floats(vectors: Embeddings) -> Floats:
    """Vectors as contiguous float32, without a copy if they already are."""
    array: NDArray[np.floating] = vectors.detach().float().numpy() if isinstance(vectors, Tensor) else vectors
    floats: Floats = np.ascontiguousarray(array, dtype=np.float32)
    return floats
