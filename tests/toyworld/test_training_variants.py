"""Memories of the variants against their definitions, and what is trained with them."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from keepsight.errors import ModelError, SettingError
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.method.recurrence import offsets_within
from keepsight.method.selection import AttentionTopK, count_kept
from keepsight.models.loading import load_model
from keepsight.models.registry import BUNDLED
from keepsight.settings import DESCRIBE_PROMPT
from keepsight.toyworld.captions import true_captions
from training.blueprint import MODEL_DIM
from training.encoded_stories import PLAIN_SHARE, EncodedStory, Memory, StoryPool, encode_story, random_memory
from training.loop import LoopSettings
from training.packing import Packed, run_packed
from training.reading import Reader
from training.variants import stage
from training.variants.attention import attended_memory, caption_scores, story_scores
from training.variants.folders import make_folder, pack
from training.variants.held_out import HeldOut, cases_of, clause_bounds, held_out_figures
from training.variants.learning import explored_memory, head_of, learned_memory, straight_through
from training.variants.rules import RULES, gapped_memory, stream_offsets, uniform_memory
from training.variants.selector import LearnedSelection
from training.variants.table import TableSettings, make_tables
from training.watching import clip_with_memory
from training.watching_stage import RENEWED_SHARE

TINY = next(one.folder for one in BUNDLED if one.name == "tiny")
KEPT = 9


@pytest.fixture(scope="module")
def model() -> Any:
    return stage.bundled_model()


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def encoded(model: Any) -> EncodedStory:
    return encode_story(model, 40_003, "default", 7)


def captioned(reader: Reader, model: Any, encoded: EncodedStory, clip: int, memory: Memory, caption: str) -> Packed:
    return clip_with_memory(reader, model, encoded, clip, memory, [reader.branch(f"\n{DESCRIBE_PROMPT}", caption)])


def recipe_places(encoded: EncodedStory, first: int, last: int, retention: float, seed: int) -> list[tuple[int, int]]:
    """Places that the recipe drew before there were variants, as it was written then."""
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    plain = rng.random() < PLAIN_SHARE
    places: list[tuple[int, int]] = []
    for clip in range(first, last):
        tokens = encoded.tokens[clip].flatten(0, 1)
        weights = torch.ones(len(tokens)) if plain else encoded.weights[clip].flatten()
        chosen = torch.multinomial(weights, count_kept(len(tokens), retention), generator=generator).sort().values
        places += [(clip, index) for index in chosen.tolist()]
    return places


def test_the_recipe_draws_as_before(encoded: EncodedStory) -> None:
    for seed in range(30):
        memory = random_memory(encoded, 1, 4, 0.125, random.Random(seed))
        assert memory.places == recipe_places(encoded, 1, 4, 0.125, seed)
        rows = [encoded.tokens[clip].flatten(0, 1)[index] for clip, index in memory.places]
        assert torch.equal(memory.tokens, torch.stack(rows))
        assert memory.bias is None
        assert memory.offsets is None


def test_uniform_memory_prefers_nothing(encoded: EncodedStory) -> None:
    counts = torch.zeros(encoded.tokens_per_clip)
    for seed in range(400):
        memory = uniform_memory(encoded, 2, 3, 0.0625, random.Random(seed))
        indices = [index for _, index in memory.places]
        assert sorted(set(indices)) == indices
        assert len(indices) == KEPT
        counts[indices] += 1
    expected = 400 * KEPT / encoded.tokens_per_clip
    assert float((counts - expected).square().sum() / expected) < 220  # chi-square of 143 degrees: p below 0.0001
    assert torch.corrcoef(torch.stack([counts, encoded.weights[2].flatten()]))[0, 1].abs() < 0.3


def test_memory_by_attention_is_what_the_selector_keeps(encoded: EncodedStory) -> None:
    scores = torch.rand(encoded.weights.shape, generator=torch.Generator().manual_seed(0)).mul(20).round()  # with ties
    memory = attended_memory(replace(encoded, scores=scores), 1, 4, 0.0625)
    for clip in range(1, 4):
        kept = AttentionTopK(0.0625).select(encoded.tokens[clip].flatten(0, 1), scores[clip].flatten())
        assert [index for place, index in memory.places if place == clip] == kept.indices.tolist()
        assert torch.equal(memory.tokens[(clip - 1) * KEPT : clip * KEPT], kept.tokens)
    with pytest.raises(SettingError, match="must have scores"):
        attended_memory(encoded, 1, 4, 0.0625)


@pytest.mark.parametrize("spaced", [False, True], ids=["contiguous", "original positions"])
def test_scores_of_a_known_caption_are_those_of_the_product(
    model: Any, reader: Reader, encoded: EncodedStory, spaced: bool
) -> None:
    product = load_model("tiny")
    clip = 6
    memory = random_memory(encoded, 0, clip, 0.0625, random.Random(1))
    tokens = encoded.tokens[clip].flatten(0, 1).float()
    offsets = None
    if spaced:
        memory = replace(memory, offsets=stream_offsets(encoded, memory, clip))
        assert memory.offsets is not None
        assert memory.offsets.tolist() == [clip * 144 - place * 144 - index for place, index in memory.places]
        room = product.max_memory_tokens(len(tokens), DescribeRequest())
        offsets = offsets_within(memory.offsets, room)
        assert int(offsets.max()) == room  # the window ends before the oldest token's place
    said = product.describe(VisualInput(memory.tokens.float(), tokens, memory_offsets=offsets))
    packed = captioned(reader, model, encoded, clip, memory, said.caption)
    scores = caption_scores(model, packed, len(memory.places), len(tokens), reader.tokenizer.pad_token_id)
    torch.testing.assert_close(scores, said.scores, rtol=1e-3, atol=1e-6)
    assert torch.equal(scores.topk(KEPT).indices.sort().values, said.scores.topk(KEPT).indices.sort().values)


def test_scores_of_a_story_come_clip_by_clip_after_what_attention_kept(
    model: Any, reader: Reader, encoded: EncodedStory
) -> None:
    scores = story_scores(reader, model, encoded)
    clip, places = 3, []
    for before in range(clip):
        kept = AttentionTopK(0.0625).select(encoded.tokens[before].flatten(0, 1), scores[before].flatten())
        places += [(before, index) for index in kept.indices.tolist()]
    memory = Memory(torch.stack([encoded.tokens[at].flatten(0, 1)[index] for at, index in places]), places)
    caption = true_captions(encoded.story, encoded.spans)[clip].text
    packed = captioned(reader, model, encoded, clip, memory, caption)
    expected = caption_scores(model, packed, clip * KEPT, encoded.tokens_per_clip, reader.tokenizer.pad_token_id)
    torch.testing.assert_close(scores[clip].flatten(), expected)


def test_half_of_the_gapped_memories_lie_where_they_were_seen(encoded: EncodedStory) -> None:
    made = [gapped_memory(encoded, 0, 4, 0.0625, random.Random(seed)) for seed in range(60)]
    assert 15 < sum(memory.offsets is not None for memory in made) < 45
    for seed, memory in enumerate(made):
        assert memory.places == random_memory(encoded, 0, 4, 0.0625, random.Random(seed)).places


def test_all_variants_train_on_the_same_items(model: Any, reader: Reader, encoded: EncodedStory) -> None:
    scored = replace(encoded, scores=torch.rand(encoded.weights.shape))
    batches = {}
    seed = next(one for one in range(99) if random.Random(one).random() > RENEWED_SHARE)  # without a new story
    for name, rule in {**RULES, "learned": explored_memory(head_of(MODEL_DIM), 1.0)}.items():
        pool = StoryPool(model, size=1)
        pool.kept.append(scored)
        batches[name] = stage.memory_batch(reader, model, pool, rule, random.Random(seed))
    items, tasks = batches["events"]
    for name, (others, other_tasks) in batches.items():
        assert other_tasks == tasks
        assert [item.branches for item in others] == [item.branches for item in items]
        assert [item.prefix_ids for item in others] == [item.prefix_ids for item in items]
        differ = [not torch.equal(_visual(a), _visual(b)) for a, b in zip(others, items, strict=True)]
        assert any(differ) == (name not in ("events", "gaps"))


def _visual(packed: Packed) -> Tensor:
    assert packed.visual is not None
    return packed.visual


def test_straight_through_keeps_the_highest_and_passes_the_sigmoid_on() -> None:
    scores = torch.tensor([0.3, -1.0, 2.0, 0.1, 0.9], requires_grad=True)
    chosen, bias = straight_through(scores, 3)
    assert chosen.tolist() == [0, 2, 4]
    assert bias.tolist() == [0.0, 0.0, 0.0]
    (bias * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    soft = torch.sigmoid(torch.tensor([0.0, 1.7, 0.6]))
    gradient = soft * (1 - soft) * torch.tensor([1.0, 10.0, 100.0])
    torch.testing.assert_close(scores.grad, torch.tensor([gradient[0], 0.0, gradient[1], 0.0, gradient[2]]))


def test_the_loss_of_a_caption_reaches_the_selecting_head(model: Any, reader: Reader, encoded: EncodedStory) -> None:
    clip, pad = 3, reader.tokenizer.pad_token_id
    head = head_of(MODEL_DIM)
    rule = explored_memory(head, 1.0)
    memory = rule(encoded, 0, clip, 0.0625, random.Random(0))
    other = rule(encoded, 0, clip, 0.0625, random.Random(1))
    assert memory.places != other.places  # it explores
    assert memory.bias is not None
    memory.bias.retain_grad()
    case = captioned(reader, model, encoded, clip, memory, "in the kitchen: the cat returns.")
    run_packed(model, [case], pad).loss.backward()
    assert head.outer.weight.grad is not None
    assert head.outer.weight.grad.abs().max() > 0
    gradient = memory.bias.grad
    assert gradient is not None
    at, step = int(gradient.abs().argmax()), 0.05
    losses = []
    with torch.no_grad():
        for sign in (-1, 1):
            moved = torch.zeros(len(gradient)).index_fill(0, torch.tensor([at]), sign * step)
            losses.append(float(run_packed(model, [replace(case, bias=moved)], pad).loss))
        plain = run_packed(model, [replace(case, bias=None)], pad).loss
        zero = run_packed(model, [case], pad).loss
        torch.testing.assert_close(plain, zero)
        gone = replace(case, bias=torch.zeros(len(gradient)).index_fill(0, torch.tensor([at]), -100.0))
        visual = _visual(case).clone()
        visual[at] += 5.0  # nothing attends to it
        without = [run_packed(model, [one], pad).loss for one in (gone, replace(gone, visual=visual))]
        torch.testing.assert_close(without[0], without[1])
    assert (losses[1] - losses[0]) / (2 * step) == pytest.approx(float(gradient[at]), rel=0.03)
    model.zero_grad()


def test_the_learned_selection_as_rule_and_as_selector(encoded: EncodedStory, tmp_path: Path) -> None:
    head = head_of(MODEL_DIM)
    with torch.no_grad():
        head.outer.weight.copy_(torch.linspace(-1, 1, head.outer.in_features).unsqueeze(0))
    path = tmp_path / "head.safetensors"
    save_file(head.state_dict(), path)
    memory = learned_memory(head)(encoded, 1, 3, 0.0625, random.Random(0))
    for clip in (1, 2):
        tokens = encoded.tokens[clip].flatten(0, 1)
        kept = LearnedSelection(0.0625, str(path)).select(tokens, torch.zeros(len(tokens)))
        assert [index for place, index in memory.places if place == clip] == kept.indices.tolist()
    steps = encoded.tokens[1].float()
    unusual = steps - steps.median(0).values
    parts = [steps[5], steps[5] - steps[4], unusual[5]]
    sizes = [(steps[5] - steps[4]).norm(dim=-1, keepdim=True) / 16, unusual[5].norm(dim=-1, keepdim=True) / 16]
    torch.testing.assert_close(
        head(steps)[5], head.outer(nn.functional.gelu(head.inner(torch.cat([*parts, *sizes], 1)))).squeeze(1)
    )
    with pytest.raises(SettingError, match="whole steps of 9 tokens, got 10"):
        LearnedSelection(0.0625, str(path)).select(encoded.tokens[1].flatten(0, 1)[:10], torch.zeros(10))
    with pytest.raises(ModelError, match="no such file"):
        LearnedSelection(0.0625, str(tmp_path / "none")).select(encoded.tokens[1].flatten(0, 1), torch.zeros(144))


def test_bounds_of_clauses(reader: Reader) -> None:
    tokens = reader.tokenizer.convert_ids_to_tokens(
        list(reader.ids("in the park: the red car returns, the closed box with the cat stays.<|im_end|>"))
    )
    said = ["".join(tokens[start:end]).replace("▁", " ").strip() for start, end in clause_bounds(tokens)]
    assert said == ["the red car returns", "the closed box with the cat stays"]


def test_held_out_clauses_need_memory(model: Any, reader: Reader) -> None:
    story = encode_story(model, 40_000, "default", 8)
    held_out = HeldOut((story,), tuple(cases_of(story, 0)[:2]))
    assert all(any(clause.needs_past for clause in case.truth.clauses) for case in held_out.cases)

    def nothing(encoded: EncodedStory, *_: Any) -> Memory:
        return Memory(encoded.tokens.new_zeros(0, MODEL_DIM), [])

    def everything(encoded: EncodedStory, first: int, last: int, *_: Any) -> Memory:
        places = [(clip, index) for clip in range(first, last) for index in range(encoded.tokens_per_clip)]
        return Memory(encoded.tokens[first:last].flatten(0, 2)[:KEPT], places)  # few tokens, which fit the window

    figures = held_out_figures(
        reader, model, held_out, {"events": random_memory, "nothing": nothing, "everything": everything}
    )
    assert figures["held-out past, nothing"] == figures["held-out evidence, nothing"] == 0.0
    assert figures["held-out evidence, everything"] == 1.0
    assert 0 <= figures["held-out shown, events"] <= 1


def test_weights_of_a_variant_make_a_model_that_differs_in_its_decoder_only(model: Any, tmp_path: Path) -> None:
    changed = {name: value.clone() for name, value in model.model.language_model.state_dict().items()}
    changed["layers.2.mlp.up_proj.weight"] += 0.5
    saved = {f"decoder.{name}": value for name, value in changed.items()}
    torch.save({"step": 3, "modules": saved, "optimizer": {}}, tmp_path / f"{stage.STAGE}.pt")
    assert pack(tmp_path, "uniform", tmp_path / "packed") == 3
    make_folder("uniform", tmp_path / "model", tmp_path / "packed")
    first, second = load_file(TINY / "model.safetensors"), load_file(tmp_path / "model" / "model.safetensors")
    assert first.keys() == second.keys()
    differ = {name for name in first if not torch.equal(first[name], second[name])}
    assert differ == {"language_model.model.layers.2.mlp.up_proj.weight"}
    assert {file.name for file in TINY.iterdir()} - {"README.md"} == {f.name for f in (tmp_path / "model").iterdir()}
    with pytest.raises(ModelError, match="gaps must have weights"):
        make_folder("gaps", tmp_path / "other", tmp_path / "none")


@pytest.mark.slow
def test_tables_of_models_and_selections(tmp_path: Path) -> None:
    settings = TableSettings(("tiny",), ("selector=attention", "memory_clips=0"), 1, 8.0, cache_folder=tmp_path)
    past, kept, used, shown, answers = [part for part in make_tables(settings).split("\n\n") if part.startswith("| ")]
    assert past.splitlines()[0].startswith("| needs memory, %: trained with")
    assert past.splitlines()[2].split(" | ")[3].startswith("0.0 [0.0, ")  # nothing is known without memory
    assert "| tiny | " in shown
    assert kept.splitlines()[2].split(" | ")[3].startswith("0.0 [0.0, ")
    assert used.splitlines()[2].split(" | ")[3] == "-"
    assert len(answers.splitlines()) == 3
    with pytest.raises(SettingError, match="columns must be at least two, got 1"):
        make_tables(TableSettings(("tiny",), ("learned",)))


@pytest.mark.slow
def test_a_variant_is_trained_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "NUM_HELD_OUT", 2)
    for steps in (1, 2):
        assert stage.train_variant(LoopSettings(tmp_path, stage.STAGE, steps, 4e-4), "learned") == steps
    lines = (tmp_path / f"{stage.STAGE}.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert "held-out past, learned" in lines[0]
    with pytest.raises(SettingError, match="variant must be one of"):
        stage.train_variant(LoopSettings(tmp_path, stage.STAGE, 1), "other")
