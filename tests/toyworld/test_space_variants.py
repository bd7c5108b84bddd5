"""Questions about places in training: the bench's prompts, and items that differ in their positions alone."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLTextModel, Qwen2Model

from keepsight.bench.datasets.toyworld import SPLITS, ToySource
from keepsight.bench.methods import Asked, make_method
from keepsight.models.loading import load_model
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.space_questions import space_facts
from training.encoded_stories import EncodedStory, Memory, StoryPool, encode_story, random_memory
from training.loop import LoopSettings
from training.packing import Packed, collate
from training.reading import Reader
from training.variants import space_reader, space_stage
from training.variants.folders import DECODER_NAME
from training.variants.space import SPACE_VARIANTS, positioned, space_batch, space_item
from training.variants.space_held_out import SpaceHeldOut, space_figures
from training.variants.space_table import make_space_table
from training.variants.space_tokens import axis_effects, readable_places
from training.variants.stage import STAGE, bundled_model
from training.watching import memory_alone
from training.watching_stage import RENEWED_SHARE

SEED = SPLITS["validation"]
TEXT_MODELS: dict[str, Any] = {"tiny": Qwen2Model, "tiny-qwen": Qwen2_5_VLTextModel}


@pytest.fixture(scope="module", params=list(TEXT_MODELS))
def bundled(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(bundled: str) -> Any:
    return bundled_model(bundled)


@pytest.fixture(scope="module")
def reader(bundled: str) -> Reader:
    return Reader(next(one.architecture.tokenizer() for one in SPACE_VARIANTS.values() if one.bundled == bundled))


@pytest.fixture(scope="module")
def encoded(model: Any) -> EncodedStory:
    return encode_story(model, SEED, "default", 3)


@pytest.fixture(scope="module")
def rich(model: Any) -> EncodedStory:
    """A story of which much can be asked, of all kinds."""
    seeds = range(SEED, SEED + 99)
    seed = next(one for one in seeds if len({f.task for f in space_facts(make_story(one, 3), Span(0.0, 96.0))}) == 3)
    return encode_story(model, seed, "default", 3)


def whole_prompt(model: Any, packed: Packed) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and positions of a prefix with its first branch's prompt."""
    asked = replace(packed, branches=(replace(packed.branches[0], reply_ids=(0,)),))
    batch = collate([asked], 0)
    embeds = model.get_input_embeddings()(batch.input_ids)[0, :-1].detach().clone()
    assert packed.visual is not None
    embeds[packed.visual_start : packed.visual_start + len(packed.visual)] = packed.visual.detach()
    return embeds, batch.position_ids.view(-1, batch.input_ids.shape[1])[:, :-1]


@pytest.mark.parametrize("positions", ["contiguous", "original"])
def test_kept_tokens_are_asked_about_as_in_the_bench(
    bundled: str, model: Any, reader: Reader, encoded: EncodedStory, positions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bench watches the video of a story itself; training gets what it kept, and makes its own prompt of that."""
    loaded = load_model(bundled)
    method = make_method("selected-tokens", Settings(memory_positions=positions, selector="uniform"))
    observer = method.begin(loaded, 0.5)
    for frame in ToySource(SEED, 1.6, "default").frames(0.5):
        observer.see(frame)
    observer.finish()
    question = "Was the dog on the left or on the right?"
    seen: dict[str, Any] = {}
    stock = TEXT_MODELS[bundled].forward

    def watched(self: Any, **arguments: Any) -> Any:
        for name in ("inputs_embeds", "position_ids"):
            seen.setdefault(name, arguments.get(name))
        return stock(self, **arguments)

    monkeypatch.setattr(TEXT_MODELS[bundled], "forward", watched)
    method.answer(loaded, observer, Asked(question, question, 96.0))

    places = [(clip.clip_index, index) for clip in observer.captions() for index in clip.kept_indices]
    kept = Memory(torch.cat([clip.tokens for clip in observer.clips]), places)
    memory = positioned(lambda *_: kept, positions)(encoded, 0, 3, 0.0625, random.Random(0))
    branches = [reader.question_branch(question, "left", before="\n")]
    embeds, placed = whole_prompt(model, memory_alone(reader, model, encoded, memory, branches))
    torch.testing.assert_close(seen["inputs_embeds"][0], embeds, rtol=0.01, atol=0.01)
    given = torch.arange(len(embeds)) if seen["position_ids"] is None else seen["position_ids"]
    assert torch.equal(given.view(-1, len(embeds))[-len(placed) :], placed)
    assert (int(placed.max()) + 1 == len(embeds)) == (positions == "contiguous")


def test_memory_in_the_picture_has_its_row_and_column(
    bundled: str, model: Any, reader: Reader, encoded: EncodedStory
) -> None:
    branches = [reader.question_branch("Did the dog go left or right?", "left", before="\n")]
    memories = {
        name: positioned(random_memory, name)(encoded, 0, 3, 0.0625, random.Random(0))
        for name in ("contiguous", "picture")
    }
    packed = {name: memory_alone(reader, model, encoded, memory, branches) for name, memory in memories.items()}
    if bundled == "tiny":  # on one axis there is no place in the picture
        assert packed["picture"].positions is None
        return
    plain, placed = packed["contiguous"].positions, packed["picture"].positions
    assert plain is not None
    assert placed is not None
    start = packed["picture"].visual_start
    cells = [index % 9 for _, index in memories["picture"].places]
    inside = slice(start, start + len(cells))
    assert placed[1, inside].tolist() == [start + cell // 3 for cell in cells]
    assert placed[2, inside].tolist() == [start + cell % 3 for cell in cells]
    assert torch.equal(placed[0], plain[0])
    outside = torch.ones(plain.shape[1], dtype=torch.bool)
    outside[inside] = False
    assert torch.equal(placed[:, outside], plain[:, outside])


def test_variants_of_a_model_differ_in_positions_alone(
    model: Any, reader: Reader, rich: EncodedStory, bundled: str
) -> None:
    seed = next(one for one in range(99) if random.Random(one).random() > RENEWED_SHARE)  # without a new story
    names = [one.positions for one in SPACE_VARIANTS.values() if one.bundled == bundled]
    batches = []
    for name in names:
        pool = StoryPool(model, size=1)
        pool.kept.append(rich)
        batches.append(space_batch(reader, model, pool, positioned(random_memory, name), random.Random(seed)))
    (items, tasks), *others = batches
    assert len(tasks) >= len(items) > 5
    for other_items, other_tasks in others:
        assert other_tasks == tasks
        for item, other in zip(items, other_items, strict=True):
            assert item.visual is not None
            assert other.visual is not None
            assert torch.equal(item.visual, other.visual)
            assert (item.prefix_ids, item.branches) == (other.prefix_ids, other.branches)
            assert item.positions is None or not torch.equal(item.positions, other.positions)  # type: ignore[arg-type]
            assert other.positions is not None


def test_whole_clips_are_shown_and_all_that_is_unambiguous_is_asked(
    model: Any, reader: Reader, rich: EncodedStory
) -> None:
    item = space_item(reader, model, rich, 0, 3, None, random.Random(0))
    assert item is not None
    packed, tasks = item
    facts = space_facts(rich.story, Span(0.0, 96.0))
    assert sorted(tasks) == sorted(fact.task for fact in facts)
    assert packed.visual is not None
    tokens = rich.tokens.flatten(0, 2).float()
    torch.testing.assert_close(packed.visual[: len(tokens)], tokens)
    asked = [str(reader.tokenizer.decode(list(branch.prompt_ids))) for branch in packed.branches]
    replies = [str(reader.tokenizer.decode(list(branch.reply_ids))) for branch in packed.branches]
    answers = [reply.split("<")[0].split()[-1] for reply in replies]
    for task, text, answer in zip(tasks, asked, answers, strict=True):
        (fact,) = [
            one
            for one in facts
            if one.task == task and all(f" {noun} " in text.replace("?", " ") for noun in one.nouns)
        ]
        if task == "left of":
            assert (answer == fact.nouns[0]) == (f"on the {fact.side}," in text)
        else:
            assert answer == fact.side


def test_held_out_figures_count_right_answers(model: Any, reader: Reader, rich: EncodedStory) -> None:
    """A bundled model never saw these questions: figures are shares of the questions of a kind."""
    figures = space_figures(reader, model, SpaceHeldOut((rich,)), {"events": random_memory, "whole clips": None})
    facts = space_facts(rich.story, Span(0.0, 96.0))
    assert figures.pop("held-out questions") == len(facts)
    assert set(figures) == {f"held-out {fact.task}, {rule}" for fact in facts for rule in ("events", "whole clips")}
    assert all(0 <= share <= 1 for share in figures.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["space-original", "space-qwen-picture"])
def test_a_space_variant_is_trained_and_resumed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_stage, "NUM_STORIES", 2)
    for steps in (1, 2):
        assert space_stage.train_space(LoopSettings(tmp_path, STAGE, steps, 4e-4), name) == steps
    lines = (tmp_path / f"{STAGE}.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert "held-out questions" in lines[0]


def test_a_table_compares_variants_question_by_question(tmp_path: Path) -> None:
    for name in ("space", "space-original"):
        decoder = {key: value.clone() for key, value in bundled_model().model.language_model.state_dict().items()}
        (tmp_path / name).mkdir()
        save_file(decoder, tmp_path / name / DECODER_NAME)
    rows = make_space_table(["space", "space-original"], 4, tmp_path).splitlines()
    assert len(rows) == 2 + 4 * 4
    whole = [row for row in rows if row.startswith("| whole clips")]  # without kept tokens the two are the same model
    assert len(whole) == 4
    assert all("| +0.0% [" in row for row in whole)


@pytest.mark.slow
def test_places_are_in_the_tokens_of_one_model_and_not_of_the_other(bundled: str, model: Any, reader: Reader) -> None:
    found = readable_places(model)
    if bundled == "tiny":
        assert found["column"] < 0.45 < 0.75 < found["row"]
        return
    assert min(found["column"], found["row"]) > 0.9
    moved = axis_effects(model, reader)
    assert moved["columns mirrored"] < 0.01 < moved["rows mirrored"] < 0.2  # the slowest rotations
    assert min(moved["every second token one later in time"], moved["columns 300 apart, mirrored"]) > 0.5


@pytest.mark.slow
def test_an_ideal_reader_needs_positions_in_one_model_only(
    bundled: str, model: Any, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space_reader, "NUM_READ", 30)
    found = space_reader.ideal_reader(model, reader)
    assert found["attention, by position"] > 0.95
    assert found["whole clips, by position"] == found["whole clips, covered"] == 1.0
    assert (found["attention, by token"] > 0.9) == (bundled == "tiny-qwen")
