"""Which captions of a journal a question is answered from (paper, section 3, arXiv 2510.17364).

All strategies share two rules. If all captions fit into the budget, all are used. Otherwise captions are taken in the
strategy's rank order until the budget is full: one that is longer than what is left is passed over and the next in
rank is tried, until none fits, so a single long caption never blocks the rest and no room stays unused that a caption
could fill. What was taken is given back in time order.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from keepsight.asking.mmr import Floats, Indices, mmr_order
from keepsight.errors import SettingError

Embeddings = NDArray[np.floating] | Tensor
"""Real numbers in a NumPy array or in a tensor on the CPU."""

Costs = Sequence[int] | NDArray[np.integer]


class Retriever(Protocol):
    """A rule for which captions a question is answered from. It holds settings, never state."""

    def choose(
        self, embeddings: Embeddings, query: Embeddings, costs: Costs, budget: int, *, unit_length: bool = False
    ) -> list[int]:
        """Captions to answer from, as increasing indices: in time order.

        Args:
            embeddings: mean embedding of each caption in time order, `[num_captions, dim]`; float32 rows are read in
                place, anything else is copied.
            query: mean embedding of the question, `[dim]`, of any length.
            costs: tokens of each caption in the prompt, 0 or more, `[num_captions]`.
            budget: tokens that the chosen captions may have together, 0 or more.
            unit_length: the rows of `embeddings` already have length 1, so that their lengths need not be taken again;
                a caller that asks often divides once, when it stores them. The result is the same.

        Raises:
            SettingError: the shapes do not match, a cost or the budget is negative, or a number is not finite.
        """


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be chosen from, checked and in the types that are computed with: see `Retriever.choose`."""

    rows: Floats
    query: Floats
    costs: Indices
    budget: int
    unit_length: bool

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.query.shape != self.rows.shape[1:] or self.costs.shape != self.rows.shape[:1]:
            raise SettingError(
                "embeddings [num_captions, dim], query [dim] and costs [num_captions] belong together, "
                f"not {list(self.rows.shape)}, {list(self.query.shape)} and {list(self.costs.shape)}"
            )
        smallest = int(self.costs.min(initial=0))
        if self.budget < 0 or smallest < 0:
            raise SettingError(f"budget and costs are 0 tokens or more, not {self.budget} and {smallest}")

    def scales(self) -> Floats | None:
        """What each row is multiplied with to have length 1, or None where the rows have it."""
        return None if self.unit_length else _inverse_lengths(self.rows)

    def relevance(self, scales: Floats | None) -> Floats:
        """Cosine similarity of each row with the query, `[num_captions]`."""
        with np.errstate(invalid="ignore", over="ignore"):
            similarity: Floats = self.rows @ (self.query * _inverse_lengths(self.query[None])[0])
        if not np.isfinite(similarity).all():
            raise SettingError("embeddings and query are finite numbers; NaN or infinity came from the model")
        return similarity if scales is None else similarity * scales


class _Ranked(ABC):
    """The two rules at the head of this file, around a strategy's rank order."""

    def choose(
        self, embeddings: Embeddings, query: Embeddings, costs: Costs, budget: int, *, unit_length: bool = False
    ) -> list[int]:
        """See `Retriever.choose`."""
        cost_array = np.asarray(costs, dtype=np.int64)
        task = _Task(_floats(embeddings), _floats(query), cost_array, budget, unit_length)
        if cost_array.sum() <= budget:
            return list(range(len(cost_array)))
        return _fill(self._rank(task), cost_array, budget)

    @abstractmethod
    def _rank(self, task: _Task) -> Iterable[int]:
        """Captions, the first to be taken first; it may leave out what would not be taken."""


@dataclass(frozen=True)
class MMR(_Ranked):
    """Relevant and not redundant: maximal marginal relevance over cosine similarities of means (see `mmr`).

    A caption that is passed over for its length makes no other caption redundant.

    Attributes:
        lambda_: weight of relevance against redundancy, from 0 to 1. The paper does not give it.
        pool_budgets: captions are chosen from the most relevant ones that would fill the budget so many times, 1 or
            more; None chooses from all of them.

    Raises:
        SettingError: lambda is outside 0 to 1, or the pool is smaller than the budget.
    """

    lambda_: float = 0.5
    pool_budgets: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.lambda_ <= 1.0:
            raise SettingError(f"mmr_lambda is from 0 to 1, not {self.lambda_}")
        if self.pool_budgets is not None and not self.pool_budgets >= 1:
            raise SettingError(f"mmr_pool_budgets is 1 or more, or none, not {self.pool_budgets}")

    def _rank(self, task: _Task) -> Iterable[int]:
        scales = task.scales()
        relevance = task.relevance(scales)
        pool = self._pool(task, relevance)
        if pool is None:
            return mmr_order(task.rows, scales, relevance, task.costs, task.budget, self.lambda_)
        rows = task.rows[pool] if scales is None else task.rows[pool] * scales[pool, None]
        order = mmr_order(rows, None, relevance[pool], task.costs[pool], task.budget, self.lambda_)
        return (int(index) for index in pool[order])

    def _pool(self, task: _Task, relevance: Floats) -> Indices | None:
        """Places of the captions to choose from in time order, None for all; of equals the earlier one belongs."""
        if self.pool_budgets is None or task.costs.sum() <= self.pool_budgets * task.budget:
            return None
        ranked = np.argsort(-relevance, kind="stable")
        num_fitting = int(np.searchsorted(task.costs[ranked].cumsum(), self.pool_budgets * task.budget, side="right"))
        return np.sort(ranked[: max(1, num_fitting)])


@dataclass(frozen=True)
class Similarity(_Ranked):
    """The captions most like the question by cosine similarity, redundant or not; of equals the earlier one."""

    def _rank(self, task: _Task) -> Iterable[int]:
        relevance = task.relevance(task.scales())
        return (int(index) for index in np.argsort(-relevance, kind="stable"))


@dataclass(frozen=True)
class Recency(_Ranked):
    """The newest captions."""

    def _rank(self, task: _Task) -> Iterable[int]:
        return reversed(range(len(task.costs)))


@dataclass(frozen=True)
class Random(_Ranked):
    """Captions drawn evenly without replacement: a baseline. The same seed and number of captions draw the same.

    Attributes:
        seed: 0 or more.

    Raises:
        SettingError: the seed is negative.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SettingError(f"seed is 0 or more, not {self.seed}")

    def _rank(self, task: _Task) -> Iterable[int]:
        return (int(index) for index in np.random.default_rng(self.seed).permutation(len(task.costs)))


@dataclass(frozen=True)
class All(Recency):
    """Every caption. Where they do not all fit, the newest ones, as `Recency` does: the budget always holds."""


RETRIEVERS: Final[Mapping[str, type[Retriever]]] = MappingProxyType(
    {"mmr": MMR, "similarity": Similarity, "recency": Recency, "random": Random, "all": All}
)
"""Every strategy by the name that the command line and the benchmarks use; the first is the default."""


def make_retriever(
    name: str = "mmr", *, mmr_lambda: float = 0.5, mmr_pool_budgets: float | None = None, seed: int = 0
) -> Retriever:
    """A strategy by name; settings that it does not have are not used.

    Raises:
        SettingError: no strategy has this name, or a setting that it has is outside what is allowed.
    """
    if name not in RETRIEVERS:
        raise SettingError(f"retriever is one of {', '.join(RETRIEVERS)}, not {name!r}")
    factory: Callable[..., Retriever] = RETRIEVERS[name]
    fields = {field.name for field in dataclasses.fields(factory)}  # type: ignore[arg-type]
    settings = {"lambda_": mmr_lambda, "pool_budgets": mmr_pool_budgets, "seed": seed}
    return factory(**{key: value for key, value in settings.items() if key in fields})


def cosine_similarities(embeddings: Embeddings, query: Embeddings) -> Floats:
    """Cosine similarity of each row with a query, float32 `[num_captions]`; with a vector of zeros it is 0.

    Args:
        embeddings: `[num_captions, dim]`.
        query: `[dim]`.

    Raises:
        SettingError: the shapes do not match or a number is not finite.
    """
    rows = _floats(embeddings)
    task = _Task(rows, _floats(query), np.zeros(len(rows), dtype=np.int64), budget=0, unit_length=False)
    return task.relevance(task.scales())


def _fill(ranked: Iterable[int], costs: Indices, budget: int) -> list[int]:
    """Indices in rank order until the budget is full (the rule at the head of this file), in time order."""
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
    """What each row is multiplied with to have length 1; 0 for a row of zeros, which is like nothing."""
    squares = np.einsum("nd,nd->n", rows, rows)
    inverse: Floats = np.zeros_like(squares)
    np.divide(1, np.sqrt(squares), out=inverse, where=squares > 0)
    return inverse


def _floats(vectors: Embeddings) -> Floats:
    """Contiguous float32 numbers, the very same memory where they are that already."""
    array: NDArray[np.floating] = vectors.detach().float().numpy() if isinstance(vectors, Tensor) else vectors
    floats: Floats = np.ascontiguousarray(array, dtype=np.float32)
    return floats
