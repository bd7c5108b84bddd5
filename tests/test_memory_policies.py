"""Every memory policy against its contract, and each one against its definition as a plain loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.memory import (
    POLICIES,
    Capacity,
    Decay,
    Fifo,
    Medoids,
    MemoryPolicy,
    Merge,
    Newest,
    Novelty,
    RememberedClip,
    StreamMedoids,
    VisualMemory,
    make_policy,
)
from keepsight.method.memory.signatures import LENGTH, likeness_of, signatures_of

DIM = 4
NAMES = st.sampled_from(list(POLICIES))
DTYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16])
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=9)
CAPACITIES = st.tuples(st.integers(0, 4), st.none() | st.integers(0, 15))


def stream(
    sizes: list[int], seed: int = 0, dtype: torch.dtype = torch.float32, *, coarse: bool = False
) -> list[RememberedClip]:
    """Clips of these sizes with gaps between positions; `coarse` ones have many equal tokens and scores."""
    generator = torch.Generator().manual_seed(seed)
    clips, position = [], 0
    for index, size in enumerate(sizes):
        positions = position + torch.randperm(20, generator=generator)[:size].sort().values
        tokens, scores = torch.randn(size, DIM, generator=generator), torch.rand(size, generator=generator)
        if coarse:
            tokens, scores = tokens.round(), (3 * scores).round()
        clips.append(RememberedClip(2 * index, tokens.to(dtype), positions, scores))
        position += 20
    return clips


def append(memory: VisualMemory, clip: RememberedClip) -> None:
    memory.append(clip.clip_index, clip.tokens, clip.positions, clip.scores)


def budget_of(sizes: list[int], clips: int, tokens: int | None) -> int:
    return clips * sizes[0] if tokens is None else min(tokens, clips * sizes[0])


def rows_of(clips: tuple[RememberedClip, ...]) -> list[tuple[int, int, bytes, float]]:
    """Clip, position, bytes of the token and score of each token, in order."""
    return [
        (clip.clip_index, position, token.view(torch.uint8).numpy().tobytes(), score)
        for clip in clips
        for position, token, score in zip(clip.positions.tolist(), clip.tokens, clip.scores.tolist(), strict=True)
    ]


def as_one(clips: list[RememberedClip]) -> tuple[Tensor, list[int], list[float], list[int]]:
    """Tokens, positions, scores and clip indices of all tokens in order."""
    return (
        torch.cat([clip.tokens for clip in clips]).double(),
        [position for clip in clips for position in clip.positions.tolist()],
        [score for clip in clips for score in clip.scores.tolist()],
        [clip.clip_index for clip in clips for _ in range(clip.num_tokens)],
    )


def positions_kept(policy: MemoryPolicy, clips: list[RememberedClip], num_kept: int) -> list[int]:
    held = policy.retain(tuple(clips), Capacity(len(clips), num_kept, first_clip_tokens=100))
    return [position for clip in held for position in clip.positions.tolist()]


@given(NAMES, SIZES, CAPACITIES, DTYPES, st.integers(0, 99), st.booleans())
def test_every_policy_keeps_its_contract(
    name: str, sizes: list[int], capacities: tuple[int, int | None], dtype: torch.dtype, seed: int, coarse: bool
) -> None:
    memory, again = (VisualMemory(*capacities, make_policy(name, seed=seed)) for _ in range(2))
    budget = budget_of(sizes, *capacities)
    given_tokens: set[tuple[int, int, bytes, float]] = set()
    places: set[tuple[int, int]] = set()
    for clip in stream(sizes, seed, dtype, coarse=coarse):
        before = rows_of(memory.clips())
        held_before = memory.clips()
        append(memory, clip)
        append(again, clip)
        held = memory.clips()
        assert rows_of(held) == rows_of(again.clips())  # deterministic
        assert rows_of(held_before) == before  # nothing that was handed out has changed
        # never over the budget, and none of it is wasted
        num_offered = len(before) + clip.num_tokens
        if name == "fifo":
            assert len(held) <= capacities[0]
            assert capacities[1] is None or memory.num_tokens <= capacities[1]
        else:
            assert memory.num_tokens == min(num_offered, budget)
        # temporal order, no clip without tokens, each token at a place that one had
        indices, positions = [part.clip_index for part in held], memory.tokens_within(10**6).positions
        assert indices == sorted(set(indices))
        assert bool((positions.diff() > 0).all())
        given_tokens.update(rows_of((clip,)))
        places.update((index, position) for index, position, *_ in rows_of((clip,)))
        assert {(index, position) for index, position, *_ in rows_of(held)} <= places
        if name != "merge":
            assert set(rows_of(held)) <= given_tokens
        # what is new or changed is said, all else is the same object
        changed = {id(part) for part in memory.changed_clips()}
        assert changed == {id(part) for part in held} - {id(part) for part in held_before}
        # copies, with nothing larger behind them
        for part in held:
            assert part.tokens.dtype == dtype
            assert part.tokens.untyped_storage().nbytes() == part.tokens.nbytes
            assert part.positions.untyped_storage().nbytes() == part.positions.nbytes
            assert part.scores.untyped_storage().nbytes() == part.scores.nbytes
            assert part.tokens.untyped_storage().data_ptr() != clip.tokens.untyped_storage().data_ptr()


@given(NAMES, SIZES, CAPACITIES, st.integers(0, 99), st.integers(0, 9))
def test_restoring_in_the_middle_gives_the_same_end(
    name: str, sizes: list[int], capacities: tuple[int, int | None], seed: int, stop: int
) -> None:
    clips = stream(sizes, seed, torch.float16)
    unbroken, resumed = (VisualMemory(*capacities, make_policy(name, seed=seed)) for _ in range(2))
    for clip in clips[:stop]:
        append(resumed, clip)
    held = [RememberedClip(c.clip_index, c.tokens.clone(), c.positions, c.scores) for c in resumed.clips()]
    resumed = VisualMemory(*capacities, make_policy(name, seed=seed))
    resumed.restore(held, first_clip_tokens=sizes[0] if stop else 0)
    assert resumed.changed_clips() == ()
    for clip in clips[stop:]:
        append(resumed, clip)
    for clip in clips:
        append(unbroken, clip)
    assert rows_of(resumed.clips()) == rows_of(unbroken.clips())


@given(SIZES, CAPACITIES, st.integers(0, 99))
def test_fifo_is_the_newest_whole_clips(sizes: list[int], capacities: tuple[int, int | None], seed: int) -> None:
    clips, (max_clips, max_tokens) = stream(sizes, seed), capacities
    memory = VisualMemory(*capacities)
    for clip in clips:
        append(memory, clip)
    limit = 10**6 if max_tokens is None else max_tokens
    fitting = [n for n in range(max_clips + 1) if n <= len(clips) and sum(sizes[len(sizes) - n :]) <= limit]
    newest = clips[len(clips) - max(fitting) :]
    expected = rows_of(tuple(newest)) or (rows_of((clips[-1],))[-limit:] if max_clips and limit else [])
    # A clip that was too long alone leaves when the next one comes, or stays short: both hold less than it would whole.
    if all(size <= limit for size in sizes):
        assert rows_of(memory.clips()) == expected
    assert rows_of(memory.clips())[-len(expected) or len(expected) :] == expected


def test_the_budget_is_what_fifo_would_hold() -> None:
    assert Capacity(16, None, first_clip_tokens=9).budget_tokens == 144
    assert Capacity(16, 100, first_clip_tokens=9).budget_tokens == 100
    assert Capacity(16, 1000, first_clip_tokens=9).budget_tokens == 144
    memories = {name: VisualMemory(2, 7, make_policy(name)) for name in POLICIES}
    for clip in stream([3] * 8):
        for memory in memories.values():
            append(memory, clip)
    assert {name: memory.num_tokens for name, memory in memories.items()} == dict.fromkeys(POLICIES, 6)


@given(SIZES, st.integers(1, 20), st.integers(0, 99))
def test_merge_by_definition(sizes: list[int], num_left: int, seed: int) -> None:
    clips = stream(sizes, seed)
    tokens, positions, scores, _ = as_one(clips)
    rows = [(position, token, score) for position, token, score in zip(positions, tokens, scores, strict=True)]
    while len(rows) > num_left:
        tokens = torch.stack([row[1] for row in rows])
        place = int(torch.cosine_similarity(tokens[:-1], tokens[1:]).argmax())
        (position, one, score), (_, other, other_score) = rows[place : place + 2]
        rows[place : place + 2] = [(position, (one + other) / 2, (score + other_score) / 2)]
    held = Merge().retain(tuple(clips), Capacity(len(clips), num_left, first_clip_tokens=100))
    assert [position for clip in held for position in clip.positions.tolist()] == [row[0] for row in rows]
    ours = torch.cat([clip.tokens for clip in held]).double()
    torch.testing.assert_close(ours, torch.stack([row[1] for row in rows]), rtol=1e-4, atol=1e-5)
    ours = torch.cat([clip.scores for clip in held]).double()
    torch.testing.assert_close(ours, torch.tensor([row[2] for row in rows], dtype=torch.float64))
    origin = {position: clip.clip_index for clip in clips for position in clip.positions.tolist()}
    assert all(origin[position] == clip.clip_index for clip in held for position in clip.positions.tolist())


def test_merge_takes_the_earlier_place_across_clips() -> None:
    """Two clips that meet in the same look: one token is left of it, in the earlier clip, and the rest is as it was."""
    left, up = [1.0, 0.0], [0.0, 1.0]
    first = RememberedClip(0, torch.tensor([up, left]), torch.tensor([3, 8]), torch.tensor([0.5, 0.25]))
    second = RememberedClip(1, torch.tensor([[3.0, 0.0], up]), torch.tensor([21, 24]), torch.tensor([0.75, 1.0]))
    third = RememberedClip(2, torch.tensor([left]), torch.tensor([40]), torch.tensor([0.0]))
    held = Merge().retain((first, second, third), Capacity(2, None, first_clip_tokens=2))
    assert [clip.positions.tolist() for clip in held] == [[3, 8], [24], [40]]
    assert held[0].tokens.tolist() == [up, [2.0, 0.0]]
    assert held[0].scores.tolist() == [0.5, 0.5]
    assert held[1].tokens.tolist() == [up]
    assert held[2] is third


@given(SIZES, st.integers(0, 20), st.integers(0, 99), st.sampled_from([0.5, 1.0, 8.0, 300.0]), st.booleans())
def test_decay_by_definition(sizes: list[int], num_kept: int, seed: int, half_life: float, coarse: bool) -> None:
    clips = stream(sizes, seed, coarse=coarse)
    _, positions, scores, indices = as_one(clips)
    weights = [score * 0.5 ** ((indices[-1] - index) / half_life) for score, index in zip(scores, indices, strict=True)]
    best = sorted(range(len(weights)), key=lambda row: (weights[row], row), reverse=True)[:num_kept]
    assert positions_kept(Decay(half_life), clips, num_kept) == [positions[row] for row in sorted(best)]


def test_decay_by_hand() -> None:
    """A score of 0.9 outlives one of 0.5 for less than a half-life: after 3 clips at a half-life of 2 it is 0.32."""
    for age, kept in ((1, [0]), (3, [10])):
        old = RememberedClip(0, torch.ones(1, 2), torch.tensor([0]), torch.tensor([0.9]))
        new = RememberedClip(age, torch.ones(1, 2), torch.tensor([10]), torch.tensor([0.5]))
        assert positions_kept(Decay(half_life_clips=2), [old, new], 1) == kept


def test_decay_ranks_what_is_very_old() -> None:
    """Weights far below the smallest number of float32 still differ."""
    clips = [
        RememberedClip(index, torch.ones(1, 2), torch.tensor([index]), torch.tensor([score]))
        for index, score in [(0, 0.1), (1, 0.3), (5000, 0.0), (6000, math.nan)]
    ]
    assert positions_kept(Decay(half_life_clips=1), clips, 1) == [1]
    assert positions_kept(Decay(half_life_clips=1), clips, 3) == [0, 1, 6000]


@pytest.mark.parametrize("half_life", [0, -1, math.inf, math.nan])
def test_a_half_life_is_over_0(half_life: float) -> None:
    with pytest.raises(SettingError, match=f"half_life_clips must be a number above 0, got {half_life}"):
        Decay(half_life)


@given(SIZES, st.integers(1, 20), st.integers(0, 99))
def test_novelty_by_definition(sizes: list[int], num_kept: int, seed: int) -> None:
    clips = stream(sizes, seed)
    tokens, positions, _, indices = as_one(clips)
    distances = (1 - torch.cosine_similarity(tokens[:, None], tokens[None], dim=2)).tolist()
    rows = list(range(len(tokens)))
    newest = [row for row in rows if indices[row] == indices[-1]]
    candidates, kept = (rows, newest) if len(newest) < num_kept else (newest, [rows[-1]])
    while len(kept) < min(num_kept, len(candidates)):
        left = [row for row in candidates if row not in kept]
        kept = [*kept, max(left, key=lambda row: min(distances[row][other] for other in kept))]
    assert positions_kept(Novelty(), clips, num_kept) == [positions[row] for row in sorted(kept)]


def test_of_equal_tokens_novelty_keeps_the_newest() -> None:
    clips = [
        RememberedClip(index, torch.ones(3, 2), torch.arange(3) + 10 * index, torch.zeros(3)) for index in range(4)
    ]
    assert positions_kept(Novelty(), clips, 5) == [21, 22, 30, 31, 32]


@given(SIZES, st.integers(1, 20), st.integers(0, 99))
def test_medoids_are_members_that_none_beats_in_its_cluster(sizes: list[int], num_kept: int, seed: int) -> None:
    """At the end each token is with its nearest medoid, and no other member would be a nearer one to all."""
    clips = stream(sizes, seed)
    tokens, positions, *_ = as_one(clips)
    rows = [positions.index(position) for position in positions_kept(Medoids(seed), clips, num_kept)]
    assert len(rows) == min(num_kept, len(tokens))
    squares = torch.cdist(tokens, tokens).square()
    cluster_of_row = squares[:, rows].argmin(dim=1)
    for cluster, row in enumerate(rows):
        members = (cluster_of_row == cluster).nonzero().flatten()
        assert row in members
        assert squares[row, members].sum() <= squares[members][:, members].sum(dim=1).min() * (1 + 1e-5)


def test_medoids_of_separate_groups_are_their_middles() -> None:
    """Three groups on a line, each of a middle and two neighbours, spread over the clips: the middles stay."""
    values = [[0.0, 100.0, 201.0], [1.0, 101.0, 199.0], [-1.0, 99.0, 200.0]]
    clips = [
        RememberedClip(index, torch.tensor(row)[:, None], torch.arange(3) + 10 * index, torch.zeros(3))
        for index, row in enumerate(values)
    ]
    for seed in range(10):
        assert positions_kept(Medoids(seed), clips, 3) == [0, 1, 22]


@given(SIZES, st.integers(1, 20), st.integers(0, 99), st.booleans())
def test_newest_by_definition(sizes: list[int], num_kept: int, seed: int, coarse: bool) -> None:
    clips = stream(sizes, seed, coarse=coarse)
    positions, likeness = as_one(clips)[1], exact_likeness(clips)
    kept = list(range(len(positions)))
    while len(kept) > num_kept:
        pairs = [(older, newer) for older in kept for newer in kept if older < newer]
        kept.remove(max(pairs, key=lambda pair: (likeness[pair[0]][pair[1]], -pair[0]))[0])
    assert positions_kept(Newest(), clips, num_kept) == [positions[row] for row in kept]


@given(SIZES, st.integers(1, 20), st.integers(0, 99), st.booleans())
def test_stream_medoids_by_definition(sizes: list[int], num_kept: int, seed: int, coarse: bool) -> None:
    """Each token that goes is the one whose loss leaves all tokens best represented."""
    clips = stream(sizes, seed, coarse=coarse)
    positions, likeness = as_one(clips)[1], exact_likeness(clips)
    kept = list(range(len(positions)))

    def represented_without(dropped: int) -> int:
        others = [row for row in kept if row != dropped]
        return sum(
            LENGTH**2 if row in others else max(likeness[row][other] for other in others)
            for row in range(len(positions))
        )

    while len(kept) > num_kept:
        kept.remove(max(kept, key=lambda row: (represented_without(row), row)))
    assert positions_kept(StreamMedoids(), clips, num_kept) == [positions[row] for row in kept]


def exact_likeness(clips: list[RememberedClip]) -> list[list[int]]:
    signatures = [[int(value) for value in row] for clip in clips for row in signatures_of(clip.tokens)]
    return [[sum(a * b for a, b in zip(one, other, strict=True)) for other in signatures] for one in signatures]


def test_newest_compares_across_blocks_of_rows() -> None:
    """More tokens than are compared at once; each has one near duplicate, 400 tokens later."""
    looks = torch.randn(400, 32, generator=torch.Generator().manual_seed(0))
    first, again = (
        RememberedClip(index, looks * (index + 1), torch.arange(400) + 1000 * index, torch.zeros(400))
        for index in range(2)
    )
    room = Capacity(1, None, first_clip_tokens=400)
    assert Newest().retain((first, again), room) == (again,)
    assert StreamMedoids().retain((first, again), room) == (first,)


def test_a_look_that_comes_again_is_kept_once_the_newest_or_the_first() -> None:
    """Three things, seen in turn for nine clips, with little noise: room for three tokens holds one of each."""
    generator = torch.Generator().manual_seed(0)
    looks = torch.randn(3, 64, generator=generator)
    for policy, expected in ((Newest(), [6, 7, 8]), (StreamMedoids(), [0, 1, 2])):
        memory = VisualMemory(3, None, policy)
        for index in range(9):
            token = looks[index % 3] + 0.05 * torch.randn(64, generator=generator)
            memory.append(index, token[None], torch.tensor([index]), torch.ones(1))
        assert [clip.clip_index for clip in memory.clips()] == expected


@pytest.mark.parametrize(("dim", "error", "near_error"), [(4, 2e-3, 2e-3), (256, 2e-3, 2e-3), (3584, 0.45, 0.1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_signatures_tell_cosines(dim: int, error: float, near_error: float, dtype: torch.dtype) -> None:
    """Folded ones within five standard errors, and far nearer where tokens are alike."""
    base = torch.randn(1, dim, generator=torch.Generator().manual_seed(dim))
    others = torch.randn(20, dim, generator=torch.Generator().manual_seed(1))
    tokens = torch.cat([others, base + 0.3 * others]).to(dtype)
    told = likeness_of(signatures_of(tokens)) / LENGTH**2
    wide = tokens.double()
    cosines = torch.cosine_similarity(wide[:, None], wide[None], dim=2).numpy()
    assert abs(told - cosines).max() < error
    assert abs(told - cosines)[20:, 20:].max() < near_error


@given(st.integers(1, 9), st.sampled_from([3, 256, 400, 3584]), st.sampled_from([1e-30, 1.0, 1e30]), st.integers(0, 99))
def test_a_signature_depends_on_its_token_alone(num_tokens: int, dim: int, scale: float, seed: int) -> None:
    tokens = scale * torch.randn(num_tokens, dim, generator=torch.Generator().manual_seed(seed))
    together = signatures_of(tokens)
    assert (together == np.rint(together)).all()
    assert all((signatures_of(tokens[row : row + 1])[0] == together[row]).all() for row in range(num_tokens))
    clip = RememberedClip(0, tokens, torch.arange(num_tokens), torch.zeros(num_tokens))
    assert (clip.signatures == together).all()
    taken = clip.take(torch.arange(0, num_tokens, 2))
    assert (taken.signatures == signatures_of(taken.tokens)).all()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_tokens_that_are_not_finite_take_room_but_break_nothing(name: str, broken: float) -> None:
    memory = VisualMemory(2, None, make_policy(name))
    for clip in stream([4] * 6):
        clip.tokens[1:3] = broken
        clip.scores[0] = broken
        append(memory, clip)
        assert memory.num_tokens == min(8, 4 * (clip.clip_index // 2 + 1))


def test_policies_by_name() -> None:
    assert make_policy() == Fifo()
    assert make_policy("medoids", seed=3) == Medoids(seed=3)
    assert make_policy("merge", seed=3) == Merge()
    with pytest.raises(
        SettingError,
        match="memory_policy must be one of fifo, merge, decay, medoids, novelty, newest, stream-medoids, got 'best'",
    ):
        make_policy("best")
