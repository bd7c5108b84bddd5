"""Retrieval against its brute-force definition, and the two rules that all strategies share."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from keepsight.asking.retrieval import (
    MMR,
    RETRIEVERS,
    All,
    Random,
    Recency,
    Similarity,
    cosine_similarities,
    make_retriever,
)
from keepsight.errors import SettingError
from keepsight.method.mmr import TIE_TOLERANCE, mmr_order

Array = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
POOL_SIZES = st.sampled_from([1, 7, 1024])  # compared bit by bit as needed, or all at every step
LAMBDAS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


def brute_force_mmr(rows: Array, query: Array, costs: list[int], budget: int, lambda_: float) -> list[int]:
    """The definition, word for word: captions in the order in which they are taken. Rows and query have length 1."""
    taken: list[int] = []
    left = budget
    while True:
        fitting = [index for index in range(len(rows)) if index not in taken and costs[index] <= left]
        if not fitting:
            return taken
        values = [mmr_value(rows, query, index, taken, lambda_) for index in fitting]
        best = max(values)
        chosen = next(index for index, value in zip(fitting, values, strict=True) if value >= best - TIE_TOLERANCE)
        taken.append(chosen)
        left -= costs[chosen]


def mmr_value(rows: Array, query: Array, index: int, taken: list[int], lambda_: float) -> float:
    redundancy = max((float(rows[index] @ rows[other]) for other in taken), default=0.0)
    return lambda_ * float(rows[index] @ query) - (1 - lambda_) * redundancy


def exact_rows(num_rows: int, dim: int, rng: np.random.Generator, num_distinct: int) -> NDArray[np.float32]:
    """Vectors of length 1 with four entries of +-1/2: every product is a multiple of 1/4 and exact in float32."""
    rows = np.zeros((num_distinct, dim), dtype=np.float32)
    for row in rows:
        row[rng.choice(dim, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    return rows[rng.integers(0, num_distinct, num_rows)]


def clustered_rows(num_rows: int, dim: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Real numbers of any length, many of them near others or equal to others, with a part that all share."""
    centres = rng.standard_normal((max(1, num_rows // 6), dim)) + 2 * rng.standard_normal(dim)
    rows = centres[rng.integers(0, len(centres), num_rows)]
    rows += rng.choice([0.0, 0.01, 0.3], (num_rows, 1)) * rng.standard_normal((num_rows, dim))
    return (rows * rng.uniform(0.1, 9, (num_rows, 1))).astype(np.float32)


def unit(rows: NDArray[np.float32]) -> Array:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


@given(SEEDS, st.integers(1, 60), st.integers(1, 20), LAMBDAS, st.integers(0, 400), POOL_SIZES)
@settings(max_examples=300)
def test_mmr_is_the_definition_where_arithmetic_is_exact(
    seed: int, num_captions: int, num_distinct: int, lambda_: float, budget: int, pool_size: int
) -> None:
    """Few distinct values, so nearly every step is a tie that the earliest caption must win."""
    rng = np.random.default_rng(seed)
    rows, query = exact_rows(num_captions, 8, rng, num_distinct), exact_rows(1, 8, rng, 1)[0]
    costs = rng.integers(0, 30, num_captions)
    expected = brute_force_mmr(rows.astype(np.float64), query.astype(np.float64), costs.tolist(), budget, lambda_)
    order = mmr_order(rows, None, rows @ query, costs, budget, lambda_, pool_size=pool_size)
    assert order == expected
    if costs.sum() > budget:
        assert MMR(lambda_).choose(rows, query, costs, budget) == sorted(expected)


@given(SEEDS, st.integers(1, 60), st.integers(1, 20), LAMBDAS, st.integers(1, 400), st.sampled_from([1.0, 1.5, 4.0]))
def test_mmr_in_a_pool_is_the_definition_over_the_most_relevant(
    seed: int, num_captions: int, num_distinct: int, lambda_: float, budget: int, pool_budgets: float
) -> None:
    rng = np.random.default_rng(seed)
    rows, query = exact_rows(num_captions, 8, rng, num_distinct), exact_rows(1, 8, rng, 1)[0]
    costs = rng.integers(1, 30, num_captions)
    ranked = sorted(range(num_captions), key=lambda index: (-float(rows[index] @ query), index))
    pool: list[int] = []
    for index in ranked:
        if sum(costs[pool]) + costs[index] > pool_budgets * budget:
            break
        pool.append(index)
    pool = sorted(pool or ranked[:1])
    chosen = MMR(lambda_, pool_budgets).choose(rows, query, costs, budget)
    if costs.sum() <= budget:
        assert chosen == list(range(num_captions))
    else:
        inside = brute_force_mmr(
            rows[pool].astype(np.float64), query.astype(np.float64), costs[pool].tolist(), budget, lambda_
        )
        assert chosen == sorted(pool[place] for place in inside)
    assert MMR(lambda_, pool_budgets).choose(rows * 3, query, costs, budget) == chosen


@pytest.mark.parametrize(("num_captions", "num_distinct"), [(700, 700), (700, 40), (1500, 3), (400, 400)])
@pytest.mark.parametrize("lambda_", [0.5, 0.9])
def test_mmr_is_the_definition_beyond_one_batch(num_captions: int, num_distinct: int, lambda_: float) -> None:
    """More captions than are brought up to date together, and more taken than are compared with at once."""
    rng = np.random.default_rng(num_captions + num_distinct)
    rows, query = exact_rows(num_captions, 24, rng, num_distinct), exact_rows(1, 24, rng, 1)[0]
    costs = rng.integers(5, 15, num_captions)
    products = rows.astype(np.float64) @ rows.T.astype(np.float64)
    relevance = rows.astype(np.float64) @ query
    expected: list[int] = []
    redundancy, left, open_ = np.zeros(num_captions), 1800, np.ones(num_captions, dtype=bool)
    while (open_ & (costs <= left)).any():
        values = lambda_ * relevance - (1 - lambda_) * redundancy
        values[~open_ | (costs > left)] = -np.inf
        chosen = int((values >= values.max() - TIE_TOLERANCE).argmax())
        redundancy = products[chosen] if not expected else np.maximum(redundancy, products[chosen])
        expected.append(chosen)
        open_[chosen] = False
        left -= int(costs[chosen])
    for pool_size in (16, 128, num_captions):
        assert mmr_order(rows, None, rows @ query, costs, 1800, lambda_, pool_size=pool_size) == expected


@pytest.mark.parametrize("seed", [20, 25, 28])
def test_values_that_nearly_tie_do_not_keep_a_small_pool_busy_for_ever(seed: int) -> None:
    """With lambda 0 and near duplicates, many values lie within a tie's tolerance of each other, inside and outside."""
    rng = np.random.default_rng(seed)
    raw, query = clustered_rows(2 + seed, 12, rng), rng.standard_normal(12).astype(np.float32)
    costs = rng.integers(1, 60, len(raw))
    budget = int(rng.integers(1, 60 * len(raw)))
    scales = (1 / np.linalg.norm(raw, axis=1)).astype(np.float32)
    relevance = cosine_similarities(raw, query)
    order = mmr_order(raw, scales, relevance, costs, budget, 0.0, pool_size=1)
    left = budget - costs[order].sum()
    assert left >= 0
    assert all(costs[index] > left for index in set(range(len(raw))) - set(order))


@given(SEEDS, st.integers(2, 300), LAMBDAS, st.booleans(), POOL_SIZES)
@settings(max_examples=120)
def test_every_step_of_mmr_is_the_best_one(
    seed: int, num_captions: int, lambda_: float, scaled: bool, pool_size: int
) -> None:
    """Real embeddings: float64 says at each step whether any caption that fits was better by more than rounding."""
    rng = np.random.default_rng(seed)
    raw, query = clustered_rows(num_captions, 12, rng), rng.standard_normal(12).astype(np.float32)
    exact, exact_query = unit(raw), unit(query)
    costs = rng.integers(1, 60, num_captions)
    budget = int(rng.integers(1, 60 * num_captions))
    relevance = cosine_similarities(raw, query)
    if scaled:
        scales = (1 / np.linalg.norm(raw, axis=1)).astype(np.float32)
        order = mmr_order(raw, scales, relevance, costs, budget, lambda_, pool_size=pool_size)
    else:
        order = mmr_order(exact.astype(np.float32), None, relevance, costs, budget, lambda_, pool_size=pool_size)
    redundancy, left = np.zeros(num_captions), budget
    open_ = np.ones(num_captions, dtype=bool)
    for step, chosen in enumerate(order):
        values = lambda_ * (exact @ exact_query) - (1 - lambda_) * redundancy
        fits = open_ & (costs <= left)
        assert fits[chosen]
        assert values[chosen] >= values[fits].max() - TIE_TOLERANCE - 1e-6
        similarity = exact @ exact[chosen]
        redundancy = similarity if step == 0 else np.maximum(redundancy, similarity)
        open_[chosen] = False
        left -= int(costs[chosen])
    assert not (open_ & (costs <= left)).any()


def test_mmr_prefers_what_is_new() -> None:
    """Two captions say the same and answer best; the third is less relevant but new."""
    rows = np.array([[1, 0, 0], [1, 0, 0], [0.6, 0.8, 0]], dtype=np.float32)
    query = np.array([0.9, 0.3, 0], dtype=np.float32)
    assert MMR(0.5).choose(rows, query, [10, 10, 10], 20) == [0, 2]
    assert Similarity().choose(rows, query, [10, 10, 10], 20) == [0, 1]
    assert MMR(1.0).choose(rows, query, [10, 10, 10], 20) == [0, 1]


def test_of_identical_captions_the_earliest_is_taken() -> None:
    """Rounding must not decide: rows are equal, but a product may sum them in another order."""
    row = np.random.default_rng(3).standard_normal(896).astype(np.float32)
    rows = np.tile(row, (1001, 1))
    query = np.random.default_rng(4).standard_normal(896).astype(np.float32)
    assert MMR().choose(rows, query, [10] * 1001, 55) == [0, 1, 2, 3, 4]


@given(SEEDS, st.sampled_from(list(RETRIEVERS)), st.integers(0, 40), st.integers(0, 500), SEEDS)
def test_every_strategy_keeps_the_two_rules(
    seed: int, name: str, num_captions: int, budget: int, retriever_seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, query = clustered_rows(num_captions, 5, rng), rng.standard_normal(5).astype(np.float32)
    costs = rng.integers(0, 40, num_captions)
    retriever = make_retriever(name, seed=retriever_seed)
    chosen = retriever.choose(rows, query, costs, budget)
    assert all(type(index) is int for index in chosen)
    assert chosen == sorted(set(chosen))
    assert all(0 <= index < num_captions for index in chosen)
    spent = int(costs[chosen].sum())
    assert spent <= budget
    if costs.sum() <= budget:
        assert chosen == list(range(num_captions))
    left_out = np.delete(costs, chosen)
    assert not (left_out <= budget - spent).any()  # nothing more would have fitted
    assert chosen == retriever.choose(torch.from_numpy(rows), torch.from_numpy(query), costs.tolist(), budget)


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(0, 300))
def test_recency_and_all_go_back_from_the_newest(costs: list[int], budget: int) -> None:
    left, expected = budget, []
    for index in range(len(costs) - 1, -1, -1):
        if costs[index] <= left:
            expected.append(index)
            left -= costs[index]
    rows, query = np.ones((len(costs), 2), dtype=np.float32), np.ones(2, dtype=np.float32)
    assert Recency().choose(rows, query, costs, budget) == expected[::-1]
    assert All().choose(rows, query, costs, budget) == expected[::-1]


@pytest.mark.parametrize("name", ["mmr", "similarity", "recency", "all"])
def test_a_caption_too_long_is_passed_over(name: str) -> None:
    rows = np.eye(3, dtype=np.float32)
    query = np.array([0.1, 0.2, 1.0], dtype=np.float32)  # all rank the captions 2, 1, 0
    assert make_retriever(name).choose(rows, query, [30, 20, 100], 50) == [0, 1]
    assert make_retriever(name).choose(rows, query, [30, 50, 20], 60) == [0, 2]


def test_a_caption_that_is_passed_over_makes_none_redundant() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    query = np.array([1, 0.05], dtype=np.float32)
    # The first is too long, so its twin is the best and not redundant.
    assert MMR(0.5).choose(rows, query, [99, 10, 10], 10) == [1]


@given(SEEDS, st.integers(2, 40))
def test_similarity_is_a_sort_by_cosine(seed: int, num_captions: int) -> None:
    rng = np.random.default_rng(seed)
    rows, query = exact_rows(num_captions, 8, rng, 12), exact_rows(1, 8, rng, 1)[0]
    ranked = sorted(range(num_captions), key=lambda index: (-float(rows[index] @ query), index))
    most = num_captions // 2
    assert Similarity().choose(rows, query, [1] * num_captions, most) == sorted(ranked[:most])
    assert MMR(1.0).choose(rows, query, [1] * num_captions, most) == sorted(ranked[:most])


def test_random_varies_with_its_seed_and_is_even() -> None:
    rows, query, costs = np.ones((40, 2), dtype=np.float32), np.ones(2, dtype=np.float32), [1] * 40
    counts = np.zeros(40)
    for seed in range(1000):
        counts[Random(seed).choose(rows, query, costs, 10)] += 1
    assert counts.sum() == 10_000
    assert np.abs(counts - 250).max() < 70  # a binomial's standard deviation is 13.7, so five of them


@given(SEEDS, st.integers(1, 20), st.sampled_from([np.float16, np.float32, np.float64]))
def test_cosine_similarities_against_float64(seed: int, num_captions: int, dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(seed)
    rows, query = clustered_rows(num_captions, 6, rng).astype(dtype), rng.standard_normal(6).astype(dtype)
    expected = unit(rows.astype(np.float32)) @ unit(query.astype(np.float32))
    similarities = cosine_similarities(rows, query)
    assert similarities.dtype == np.float32
    np.testing.assert_allclose(similarities, expected, atol=2e-6)


def test_vectors_of_zeros_are_like_nothing() -> None:
    rows = np.array([[0, 0], [3, 0], [0, -2]], dtype=np.float32)
    assert cosine_similarities(rows, np.array([5, 0], dtype=np.float32)).tolist() == [0, 1, 0]
    assert cosine_similarities(rows, np.zeros(2, dtype=np.float32)).tolist() == [0, 0, 0]
    assert MMR().choose(rows, np.zeros(2, dtype=np.float32), [1, 1, 1], 1) == [0]
    assert MMR().choose(np.zeros((4, 2), dtype=np.float32), rows[1], [1] * 4, 2) == [0, 1]


def test_inputs_are_left_as_they_were() -> None:
    rng = np.random.default_rng(0)
    rows, query, costs = clustered_rows(200, 6, rng), rng.standard_normal(6).astype(np.float32), np.full(200, 10)
    copies = rows.copy(), query.copy(), costs.copy()
    MMR().choose(rows, query, costs, 500)
    for before, after in zip(copies, (rows, query, costs), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", RETRIEVERS)
@pytest.mark.parametrize(
    ("rows", "query", "costs", "budget", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3), [1, 1, 1], 9, r"got \[3, 2\], \[3\] and \[3\]"),
        (np.zeros((3, 2)), np.zeros(2), [1, 1], 9, r"got \[3, 2\], \[2\] and \[2\]"),
        (np.zeros(3), np.zeros(3), [1, 1, 1], 9, r"got \[3\]"),
        (np.zeros((3, 2)), np.zeros(2), [1, -1, 1], 9, "got 9 and -1"),
        (np.zeros((3, 2)), np.zeros(2), [1, 1, 1], -1, "got -1 and"),
    ],
)
def test_bad_inputs_are_refused(
    name: str, rows: Array, query: Array, costs: list[int], budget: int, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        make_retriever(name).choose(rows, query, costs, budget)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    rows, query = np.ones((3, 2), dtype=np.float32), np.ones(2, dtype=np.float32)
    rows[1, 0] = bad
    for call in (
        lambda: MMR().choose(rows, query, [1] * 3, 2),
        lambda: Similarity().choose(rows, query, [1] * 3, 2),
        lambda: cosine_similarities(rows, query),
        lambda: cosine_similarities(np.ones((3, 2)), rows[1]),
    ):
        with pytest.raises(SettingError, match="finite"):
            call()


def test_names_and_settings() -> None:
    assert make_retriever() == MMR(lambda_=0.5)
    assert make_retriever("mmr", mmr_lambda=0.7, seed=3) == MMR(0.7)
    assert repr(make_retriever("random", seed=3)) == "Random(seed=3)"
    assert {name: type(make_retriever(name)) for name in RETRIEVERS} == dict(RETRIEVERS)
    with pytest.raises(SettingError, match="mmr, similarity, recency, random, all, got 'best'"):
        make_retriever("best")
    for lambda_ in (-0.1, 1.1, float("nan")):
        with pytest.raises(SettingError, match="mmr_lambda must be between 0 and 1"):
            MMR(lambda_)
    with pytest.raises(SettingError, match="seed must be at least 0"):
        Random(-1)
