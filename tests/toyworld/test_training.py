import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from keepsight.errors import SettingError
from keepsight.models.loading import load_model
from keepsight.toyworld.art import picture
from keepsight.toyworld.story import Kind
from training.architecture import LLAVA_ONEVISION
from training.blueprint import MODEL_DIM, build_model, save_bundle
from training.curriculum import FROM_NOTHING
from training.encoded_stories import (
    EncodedStory,
    StoryPool,
    encode_story,
    random_memory,
    remembering_weights,
)
from training.initialisation import new_model
from training.inner_heads import InnerHeads
from training.listing_heads import GATHER_LAYER
from training.loop import LoopSettings, load_modules, run_stage
from training.moments import SHAPE_WORDS, moment_batch
from training.reading import Reader
from training.watching import clip_item, live_item
from training.watching_stage import watching_step


def small_stage(folder: Path, num_steps: int, stop_after: int | None = None) -> dict[str, torch.Tensor]:
    """Fit a linear map; optionally stop as a crash would, after the last checkpoint."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    modules = nn.ModuleDict({"model": model})
    settings = LoopSettings(folder, "small", num_steps, 0.05, warmup_steps=2, checkpoint_seconds=0.0)

    def step(number: int, rng: random.Random) -> tuple[torch.Tensor, dict[str, float]]:
        if number == stop_after:
            raise KeyboardInterrupt
        x = torch.tensor([[rng.gauss(0, 1) for _ in range(3)] for _ in range(8)])
        return (model(x) - x.sum(1, keepdim=True)).square().mean(), {"seen": float(number)}

    run_stage(settings, modules, model.parameters(), step)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_a_resumed_stage_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    whole = small_stage(tmp_path / "whole", 40)
    with pytest.raises(KeyboardInterrupt):
        small_stage(tmp_path / "parts", 40, stop_after=17)
    assert load_modules(tmp_path / "parts", "small", nn.ModuleDict({"model": nn.Linear(3, 1)})) == 17
    resumed = small_stage(tmp_path / "parts", 40)
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)
    assert whole["weight"].sub(1).abs().max() < 0.5  # it has learned something: the right weights are ones


def test_the_learning_rate_rises_and_falls() -> None:
    settings = LoopSettings(Path(), "x", 100, 1.0, warmup_steps=10, final_share=0.1)
    assert [settings.share(step) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert settings.share(55) == pytest.approx(0.55)
    assert settings.share(100) == pytest.approx(0.1)
    held = LoopSettings(Path(), "x", 100, 1.0, warmup_steps=10, hold_share=0.6, final_share=0.1)
    assert [held.share(step) for step in (10, 60, 80, 100)] == pytest.approx([1.0, 1.0, 0.55, 0.1])
    with pytest.raises(SettingError, match="num_steps must be at least 1, got 0"):
        LoopSettings(Path(), "x", 0)


def test_a_new_model_looks_back_and_looks_up_where_a_usual_one_does_not() -> None:
    row = torch.randperm(580, generator=torch.Generator().manual_seed(0))[:40] + 8
    ids = torch.cat([row, row]).unsqueeze(0)
    for prepared, model in ((False, build_model()), (True, new_model())):
        model.set_attn_implementation("eager")
        with torch.no_grad():
            attentions = model(input_ids=ids, output_attentions=True).attentions
        heads = slice(0, 4)  # two key heads with two query heads each
        back = attentions[0][0, heads].diagonal(-1, dim1=1, dim2=2).mean()
        up = attentions[1][0, heads, 40:79, 1:40].diagonal(dim1=1, dim2=2).mean()
        assert (back > 0.9) == prepared
        assert (up > 0.15) == prepared, f"attention to what followed the same word: {up}"


def test_a_saved_bundle_is_loaded_by_the_adapter_and_has_the_same_weights(tmp_path: Path) -> None:
    model = new_model(1)
    save_bundle(model, tmp_path)
    loaded = load_model(str(tmp_path))
    assert loaded.info.token_grid == (3, 3)
    assert loaded.info.frame_size_pixels == (96, 96)
    frames = [torch.full((96, 96, 3), 200, dtype=torch.uint8).numpy()] * 2
    pixels = torch.full((2, 3, 96, 96), (200 / 255 - 0.5) / 0.5)
    with torch.no_grad():
        expected = LLAVA_ONEVISION.visual_tokens(model, pixels).flatten(0, 1)
    torch.testing.assert_close(loaded.encode(frames), expected, rtol=0.02, atol=0.02)


def test_dense_labels_are_shares_of_what_covers_a_token() -> None:
    _, labels = moment_batch(random.Random(2), 12)
    torch.testing.assert_close(labels.shapes.sum(-1), torch.ones(12, 9))
    assert 0.2 < (labels.shapes[..., SHAPE_WORDS.index("nothing")] > 0.5).float().mean() < 0.8
    assert set(labels.colours.sum(-1).round(decimals=4).unique().tolist()) == {0.0, 1.0}


@pytest.fixture(scope="module")
def encoded() -> EncodedStory:
    return encode_story(build_model(), 2**32, "default")


def test_memory_in_training_is_random_and_in_order(encoded: EncodedStory) -> None:
    marks = torch.arange(encoded.tokens[:, :, :, 0].numel()).reshape(encoded.tokens.shape[:3])
    tokens = encoded.tokens.float()
    tokens[..., 0] = marks.float()
    marked = replace(encoded, tokens=tokens)
    for draw in range(10):  # evenly drawn ones and others
        memory = random_memory(marked, 1, 4, 0.0625, random.Random(draw))
        places = memory.tokens[:, 0].round().long()
        assert places.tolist() == [144 * clip + index for clip, index in memory.places]
        assert len(places) == 3 * 9
        assert (places.diff() > 0).all()
        in_clips = [int(((places >= 144 * clip) & (places < 144 * (clip + 1))).sum()) for clip in range(5)]
        assert in_clips == [0, 9, 9, 9, 0]
        assert memory.places != random_memory(marked, 1, 4, 0.0625, random.Random(draw + 100)).places


def test_what_shows_something_is_remembered_more_often(encoded: EncodedStory) -> None:
    story = encoded.story
    event = next(event for event in story.events if event.kind == Kind.ARRIVE)
    during = remembering_weights(story, event.middle_seconds)
    assert set(during.tolist()) <= {1.0, 5.0, 25.0}
    assert during.max() == 25.0
    empty = next(moment for moment in range(600) if not story.visible_at(moment))
    assert (remembering_weights(story, empty) == 1.0).all()


def test_the_pool_takes_new_stories_in_and_lets_the_oldest_go() -> None:
    rng, pool = random.Random(0), StoryPool(build_model(), size=2, num_clips=1)
    first = pool.draw(rng)
    assert len(pool.kept) == 2
    pool.renew(rng)
    pool.renew(rng)
    assert len(pool.kept) == 2
    assert all(kept is not first for kept in pool.kept)


def test_items_hold_clip_memory_newline_and_a_true_caption(encoded: EncodedStory) -> None:
    reader, rng, model = Reader(), random.Random(3), build_model()
    packed, tasks = clip_item(reader, model, encoded, 5, 16, 0.0625, rng)
    assert packed.visual is not None
    assert packed.visual_start == len(reader.ids("<|im_start|>user <video>")) - 1
    torch.testing.assert_close(packed.visual[-1], model.model.image_newline.data)
    torch.testing.assert_close(packed.visual[-145:-1], encoded.tokens[5].flatten(0, 1).float())
    assert tasks[0].startswith("caption")
    assert str(reader.tokenizer.decode(list(packed.branches[0].reply_ids))).startswith(("in the", "on the"))
    live, live_tasks = live_item(reader, model, encoded, 3, rng)
    assert live_tasks[0] == "live now"
    assert live.visual is not None
    assert (len(live.visual) - 1) % 9 == 0


def test_recolouring_moves_the_main_hue_and_keeps_the_shape() -> None:
    red, blue = picture("red car", 64), picture("blue car", 64)
    assert red.getchannel("A").tobytes() == blue.getchannel("A").tobytes()
    pixels = {name: np.asarray(image).reshape(-1, 4).astype(float) for name, image in (("red", red), ("blue", blue))}
    shown = {name: values[values[:, 3] > 200, :3].mean(0) for name, values in pixels.items()}
    assert shown["red"][0] > shown["red"][2] + 20
    assert shown["blue"][2] > shown["blue"][0] + 20


def test_a_step_of_watching_learns_and_puts_the_listing_heads_in_at_its_time() -> None:
    model = new_model()
    attention = model.model.language_model.layers[GATHER_LAYER].self_attn
    step = watching_step(model, InnerHeads(MODEL_DIM), Reader(), StoryPool(model, size=2, num_clips=2))
    listing_step = FROM_NOTHING.listing_step
    assert listing_step is not None
    for number, changed in ((listing_step - 1, False), (listing_step, True)):
        before = attention.k_proj.bias.detach().clone()
        loss, figures = step(number, random.Random(5))
        loss.backward()
        assert torch.isfinite(loss)
        assert 0 <= figures["right"] <= 1
        assert any("inner" in name for name in figures)
        assert torch.equal(before, attention.k_proj.bias) != changed
