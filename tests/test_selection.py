"""Selectors against brute force, closed forms and what k-means must satisfy at a fixed point."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from keepsight.errors import KeepsightError, ModelError, SettingError
from keepsight.method.selection import (
    SELECTORS,
    AttentionTopK,
    Diverse,
    KeepAll,
    KMeans,
    MeanPool,
    Random,
    Selected,
    Uniform,
    count_kept,
    make_selector,
)

RETENTIONS = st.sampled_from([0.001, 0.0625, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])
COUNTS = st.integers(1, 70)
DTYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16])


def clip(num_tokens: int, dim: int = 4, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(num_tokens, dim, generator=generator).to(dtype)
    return tokens, torch.rand(num_tokens, generator=generator)


@pytest.mark.parametrize(
    ("num_tokens", "retention", "expected"),
    [(3136, 0.0625, 196), (256, 0.0625, 16), (1, 0.0625, 1), (7, 0.0625, 1), (24, 0.0625, 2), (3, 0.5, 2), (5, 1.0, 5)],
)
def test_count_kept(num_tokens: int, retention: float, expected: int) -> None:
    assert count_kept(num_tokens, retention) == expected


@given(COUNTS, st.floats(0, 1, exclude_min=True))
def test_count_kept_is_the_nearest_possible(num_tokens: int, retention: float) -> None:
    kept = count_kept(num_tokens, retention)
    assert 1 <= kept <= num_tokens
    assert kept == 1 or abs(kept - num_tokens * retention) <= 0.5


@pytest.mark.parametrize("retention", [0.0, -0.1, 1.01, float("nan"), float("inf")])
@pytest.mark.parametrize("name", SELECTORS)
def test_bad_retention_is_refused(name: str, retention: float) -> None:
    with pytest.raises(SettingError, match=r"retention .* got "):
        make_selector(name, retention=retention)


@given(st.sampled_from(list(SELECTORS)), COUNTS, RETENTIONS, DTYPES, st.integers(0, 99))
def test_every_selector_keeps_its_contract(
    name: str, num_tokens: int, retention: float, dtype: torch.dtype, seed: int
) -> None:
    tokens, scores = clip(num_tokens, seed=seed, dtype=dtype)
    before = tokens.clone()
    selector = make_selector(name, retention=retention, seed=seed)
    selected = selector.select(tokens, scores)
    assert selected.num_kept == count_kept(num_tokens, selector.retention)
    assert selected.tokens.shape == (selected.num_kept, 4)
    assert selected.tokens.dtype == dtype
    assert selected.indices.dtype == torch.int64
    assert sorted(set(selected.indices.tolist())) == selected.indices.tolist()
    assert int(selected.indices[0]) >= 0
    assert int(selected.indices[-1]) < num_tokens
    assert selected.tokens.untyped_storage().data_ptr() != tokens.untyped_storage().data_ptr()
    assert torch.equal(tokens, before)
    again = selector.select(tokens.clone(), scores.clone())
    assert torch.equal(again.tokens, selected.tokens)
    assert torch.equal(again.indices, selected.indices)
    if name not in ("k-means", "mean-pool"):
        assert torch.equal(selected.tokens, tokens[selected.indices])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), RETENTIONS)
def test_attention_keeps_the_highest_scores_and_the_earlier_of_equals(values: list[int], retention: float) -> None:
    scores = torch.tensor(values, dtype=torch.float32) / 8
    ranked = sorted(range(len(values)), key=lambda index: (-values[index], index))
    expected = sorted(ranked[: count_kept(len(values), retention)])
    selected = AttentionTopK(retention).select(torch.zeros(len(values), 2), scores)
    assert selected.indices.tolist() == expected


def test_attention_selects_over_the_whole_clip_not_per_frame() -> None:
    tokens, scores = clip(64)
    scores[16:20] += 10  # four tokens of the second of four frames
    assert AttentionTopK(0.0625).select(tokens, scores).indices.tolist() == [16, 17, 18, 19]


@pytest.mark.parametrize("name", ["attention", "diverse"])
def test_nan_scores_are_the_models_error(name: str) -> None:
    tokens, scores = clip(8)
    scores[[2, 5]] = torch.nan
    with pytest.raises(ModelError, match="2 of 8 attention scores are NaN"):
        make_selector(name).select(tokens, scores)


@given(COUNTS, RETENTIONS)
def test_uniform_takes_the_middle_of_equal_parts(num_tokens: int, retention: float) -> None:
    tokens, scores = clip(num_tokens)
    kept = count_kept(num_tokens, retention)
    indices = Uniform(retention).select(tokens, scores).indices.tolist()
    assert indices == [int((i + 0.5) * num_tokens / kept + 1e-9) for i in range(kept)]
    gaps = np.diff(indices)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_random_differs_between_clips_and_seeds_and_ignores_history() -> None:
    (first, scores), (second, _) = clip(200, seed=1), clip(200, seed=2)
    selector = Random(0.1, seed=3)
    drawn = selector.select(first, scores).indices
    other = selector.select(second, scores).indices
    assert not torch.equal(drawn, other)
    assert not torch.equal(drawn, Random(0.1, seed=4).select(first, scores).indices)
    assert torch.equal(Random(0.1, seed=3).select(second, scores).indices, other)  # as after a resume


def test_random_is_even() -> None:
    hits = torch.zeros(20)
    for seed in range(2000):
        tokens, scores = clip(20, seed=seed)
        hits[Random(0.25).select(tokens, scores).indices] += 1
    # 500 expected each; a binomial's standard deviation is 19, so five of them.
    assert (hits - 500).abs().max() < 97


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=30), RETENTIONS)
def test_diverse_weighs_attention_with_the_distance_to_what_is_kept(
    listed: list[tuple[int, int]], retention: float
) -> None:
    """By definition, with whole numbers, so that products are exact and ties are ties."""
    places, values = zip(*listed, strict=True)
    chosen = [values.index(max(values))]
    while len(chosen) < count_kept(len(listed), retention):
        left = [index for index in range(len(listed)) if index not in chosen]
        worth = {index: values[index] * min(abs(places[index] - places[one]) for one in chosen) for index in left}
        chosen.append(max(left, key=lambda index: (worth[index], -index)))
    tokens = torch.tensor(places, dtype=torch.float32)[:, None]
    selected = Diverse(retention).select(tokens, torch.tensor(values, dtype=torch.float32))
    assert selected.indices.tolist() == sorted(chosen)


def test_diverse_keeps_one_token_of_each_thing_where_attention_keeps_one_thing() -> None:
    tokens = torch.eye(4)[torch.tensor([0] * 8 + [1, 2, 3] + [0] * 5)]
    scores = torch.tensor([0.9] * 8 + [0.3, 0.2, 0.1] + [0.9] * 5)
    assert AttentionTopK(0.25).select(tokens, scores).indices.tolist() == [0, 1, 2, 3]
    assert Diverse(0.25).select(tokens, scores).indices.tolist() == [0, 8, 9, 10]


def test_keep_all_has_a_truthful_record() -> None:
    tokens, scores = clip(9)
    assert torch.equal(KeepAll().select(tokens, scores).tokens, tokens)
    assert make_selector("all", retention=0.0625).retention == 1.0


@given(COUNTS, RETENTIONS)
def test_mean_pool_against_loops(num_tokens: int, retention: float) -> None:
    tokens, scores = clip(num_tokens, dim=3)
    kept = count_kept(num_tokens, retention)
    bounds = [i * num_tokens // kept for i in range(kept + 1)]
    runs = [tokens.double().numpy()[start:end] for start, end in itertools.pairwise(bounds)]
    selected = MeanPool(retention).select(tokens, scores)
    np.testing.assert_allclose(selected.tokens.numpy(), [run.mean(axis=0) for run in runs], atol=1e-6)
    for index, start, end in zip(selected.indices.tolist(), bounds[:-1], bounds[1:], strict=True):
        assert start <= index < end
        assert abs((index - start) - (end - 1 - index)) <= 1


def test_half_precision_means_are_summed_in_float32() -> None:
    tokens = torch.full((4096, 1), 40.0, dtype=torch.float16)  # the sum, 163,840, is past float16's 65,504
    assert MeanPool(1 / 4096).select(tokens, torch.zeros(4096)).tokens.item() == 40.0
    assert KMeans(1 / 4096).select(tokens, torch.zeros(4096)).tokens.item() == 40.0


@given(st.integers(2, 60), RETENTIONS, st.integers(0, 30))
def test_k_means_ends_at_a_fixed_point_in_time_order(num_tokens: int, retention: float, seed: int) -> None:
    tokens, scores = clip(num_tokens, dim=3, seed=seed)
    selected = KMeans(retention, seed=seed, max_iterations=200).select(tokens, scores)
    points, centroids = tokens.double().numpy(), selected.tokens.double().numpy()
    nearest = ((points[:, None] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1)
    members = [np.flatnonzero(nearest == cluster) for cluster in range(len(centroids))]
    assert all(len(group) for group in members)
    np.testing.assert_allclose(centroids, [points[group].mean(axis=0) for group in members], atol=1e-5)
    positions = [group.mean() for group in members]
    assert positions == sorted(positions)
    # One shown token for each cluster, and none of its members is nearer (both of a pair are equally near).
    shown = selected.indices.numpy()
    assert sorted(nearest[shown]) == list(range(len(centroids)))
    for index in shown:
        centre = centroids[nearest[index]]
        best = np.linalg.norm(points[members[nearest[index]]] - centre, axis=1).min()
        assert np.linalg.norm(points[index] - centre) <= best + 1e-5


def test_k_means_finds_well_separated_groups() -> None:
    generator = torch.Generator().manual_seed(5)
    centres = torch.eye(8) * 100
    group = torch.randperm(160, generator=generator) % 8
    tokens = centres[group] + 0.1 * torch.randn(160, 8, generator=generator)
    selected = KMeans(0.05, seed=1).select(tokens, torch.zeros(160))
    found = torch.cdist(selected.tokens, centres).argmin(dim=1)
    assert sorted(found.tolist()) == list(range(8))
    first_seen = [float((group == index).nonzero().float().mean()) for index in found.tolist()]
    assert first_seen == sorted(first_seen)
    assert sorted(group[selected.indices].tolist()) == list(range(8))


@given(st.integers(1, 40), RETENTIONS, st.integers(1, 3))
def test_k_means_copes_with_equal_tokens(num_tokens: int, retention: float, num_distinct: int) -> None:
    tokens = (torch.arange(num_tokens) % num_distinct).float()[:, None].repeat(1, 2)
    selected = KMeans(retention).select(tokens, torch.zeros(num_tokens))
    assert selected.num_kept == count_kept(num_tokens, retention)
    assert bool(selected.tokens.isfinite().all())
    if selected.num_kept >= num_distinct:
        assert set(selected.tokens[:, 0].round(decimals=4).tolist()) == {float(value) for value in range(num_distinct)}


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize(
    ("token_shape", "score_shape"), [((0, 4), (0,)), ((5, 4), (4,)), ((5, 4), (5, 1)), ((5,), (5,)), ((2, 5, 4), (2,))]
)
def test_wrong_shapes_are_refused(name: str, token_shape: tuple[int, ...], score_shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="shape"):
        make_selector(name).select(torch.zeros(token_shape), torch.zeros(score_shape))


@pytest.mark.parametrize(
    ("tokens", "indices", "message"),
    [
        (torch.zeros(2, 3), torch.tensor([1, 1]), "strictly increasing"),
        (torch.zeros(2, 3), torch.tensor([4, 1]), "strictly increasing"),
        (torch.zeros(2, 3), torch.tensor([-1, 1]), "at least 0"),
        (torch.zeros(2, 3), torch.tensor([1]), "one per kept token"),
        (torch.zeros(2, 3), torch.tensor([1, 2], dtype=torch.int32), "int64"),
        (torch.zeros(0, 3), torch.tensor([], dtype=torch.int64), "at least 1"),
        (torch.zeros(2), torch.tensor([0, 1]), "num_kept, dim"),
    ],
)
def test_selected_checks_itself(tokens: Tensor, indices: Tensor, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Selected(tokens, indices)


def test_names_and_settings() -> None:
    assert make_selector() == AttentionTopK(retention=0.0625)
    assert make_selector("k-means", retention=0.25, seed=7) == KMeans(0.25, seed=7)
    assert repr(make_selector("random", seed=3)) == "Random(retention=0.0625, seed=3)"
    assert {name: type(make_selector(name)) for name in SELECTORS} == dict(SELECTORS)
    with pytest.raises(SettingError, match=f"{', '.join(SELECTORS)}, got 'top'"):
        make_selector("top")
    with pytest.raises(KeepsightError, match="max_iterations"):
        KMeans(max_iterations=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        AttentionTopK().retention = 0.5  # type: ignore[misc]
