import argparse
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import Qwen2_5_VLTextModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from keepsight.errors import SettingError
from keepsight.method import prompts
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.loading import load_model
from keepsight.toyworld.captions import clip_spans, true_caption
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Kind
from keepsight.toyworld.tokenizer import VISION_TOKENS, build_tokenizer
from training.architecture import LLAVA_ONEVISION, QWEN2_5_VL, architecture_of, whole_steps
from training.blueprint import MODEL_DIM
from training.clip_labels import clip_labels
from training.curriculum import FROM_THE_FIRST
from training.encoded_stories import EncodedStory, StoryPool, encode_story, frame_times
from training.inner_heads import InnerHeads
from training.motion import FRAME_SHARES, mixed, pair_batch
from training.packing import run_packed
from training.qwen_blueprint import FRAMES_PER_STEP, PATCHES, prefix_positions, save_bundle
from training.reading import Reader, journal_item
from training.recipe import run_stages
from training.transfer import take_decoder
from training.watching import clip_item, live_item, short_items
from training.watching_stage import watching_step


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return QWEN2_5_VL.build_model(3)


@pytest.fixture(scope="module")
def encoded(model: Any) -> EncodedStory:
    return encode_story(model, 2**32, "default", 6)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(QWEN2_5_VL.tokenizer())


def test_the_words_keep_their_ids_and_the_template_has_one_place_for_a_video() -> None:
    first, second = build_tokenizer(), build_tokenizer(vision_tokens=True)
    assert {token: second.get_vocab()[token] for token in first.get_vocab()} == first.get_vocab()
    assert len(second) == len(first) + len(VISION_TOKENS)
    turn: Any = {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "what happened?"}]}
    rendered: Any = second.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
    assert rendered.count("<|video_pad|>") == 1
    old: Any = first.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
    assert rendered == old.replace("<video>", "<|vision_start|><|video_pad|><|vision_end|>")


def test_pixels_are_packed_as_the_stock_processor_packs_a_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    size = {"shortest_edge": 96 * 96, "longest_edge": 96 * 96}
    stock = Qwen2VLImageProcessorPil(
        size=size, patch_size=16, merge_size=2, temporal_patch_size=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    expected = stock(picture, return_tensors="pt")
    assert expected.image_grid_thw.tolist() == [[1, 6, 6]]
    pixels = (torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0) / 255 - 0.5) / 0.5
    torch.testing.assert_close(PATCHES.flatten(pixels.repeat(2, 1, 1, 1)), expected.pixel_values)


def test_steps_of_frames_do_not_see_each_other(model: Any) -> None:
    pixels = torch.randn(6, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    together = QWEN2_5_VL.visual_tokens(model, pixels)
    assert together.shape == (3, 9, MODEL_DIM)
    torch.testing.assert_close(QWEN2_5_VL.visual_tokens(model, pixels[2:4])[0], together[1], rtol=1e-4, atol=1e-5)


def test_positions_are_those_of_m_rope() -> None:
    positions = prefix_positions(5, (2, 9), 16, 2)
    expected = [(at, at, at) for at in range(5)]
    expected += [(5 + 16 * step, 5 + row, 5 + column) for step in range(2) for row in range(3) for column in range(3)]
    expected += [(22, 22, 22), (23, 23, 23)]
    assert positions.T.tolist() == [list(one) for one in expected]
    still = prefix_positions(5, (1, 9), 0, 1)
    assert still[:, -1].tolist() == [8, 8, 8]


def test_a_training_prompt_is_the_prompt_of_the_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any, encoded: EncodedStory, reader: Reader
) -> None:
    save_bundle(model, tmp_path)
    loaded = load_model(str(tmp_path))
    assert loaded.info.token_grid == (3, 3)
    frames = [np.full((96, 96, 3), level, dtype=np.uint8) for level in (40, 40, 200, 90, 180)]
    pixels = torch.stack(
        [torch.full((3, 96, 96), (int(one[0, 0, 0]) / 255 - 0.5) / 0.5) for one in [*frames, frames[-1]]]
    )
    with torch.no_grad():
        expected = QWEN2_5_VL.visual_tokens(model, pixels).flatten(0, 1)
    torch.testing.assert_close(loaded.encode(frames), expected, rtol=0.02, atol=0.02)

    packed, _ = clip_item(reader, model, encoded, 4, 3, 0.0625, random.Random(1))
    assert packed.visual is not None
    assert packed.positions is not None
    num_memory = len(packed.visual) - encoded.tokens_per_clip
    given = VisualInput(
        tokens=packed.visual[num_memory:].detach(),
        memory=packed.visual[:num_memory].detach(),
        frame_seconds=tuple(frame_times(encoded.spans[4])),
    )
    seen: dict[str, torch.Tensor] = {}

    stock = Qwen2_5_VLTextModel.forward

    def watched(self: Qwen2_5_VLTextModel, **arguments: Any) -> Any:
        seen.setdefault("embeds", arguments["inputs_embeds"])
        seen.setdefault("positions", arguments["position_ids"])
        return stock(self, **arguments)

    monkeypatch.setattr(Qwen2_5_VLTextModel, "forward", watched)
    loaded.describe(given, DescribeRequest(max_new_tokens=1))
    ids = torch.tensor(packed.prefix_ids + packed.branches[0].prompt_ids)
    behind = int(packed.positions.max()) + 1 + torch.arange(len(packed.branches[0].prompt_ids))
    positions = torch.cat([packed.positions, behind.expand(3, -1)], dim=1)
    embeds = model.get_input_embeddings()(ids).detach().clone()
    embeds[packed.visual_start : packed.visual_start + len(packed.visual)] = packed.visual.detach()
    assert torch.equal(seen["positions"][-3:, 0], positions)
    torch.testing.assert_close(seen["embeds"][0], embeds, rtol=0.01, atol=0.01)


def test_the_decoder_reads_as_the_first_models_does(reader: Reader) -> None:
    first, second = LLAVA_ONEVISION.build_model(5), QWEN2_5_VL.build_model(6)
    take_decoder(second, first)
    packed, _ = journal_item(Reader(), random.Random(1), 4, 5)
    with torch.no_grad():
        losses = [run_packed(one, [packed], 0).loss for one in (first, second)]
    torch.testing.assert_close(losses[0], losses[1], rtol=0.02, atol=0.0)  # a few words more to choose from
    ids = reader.tokenizer.get_vocab()
    words = second.get_input_embeddings().weight
    assert torch.equal(words[: len(build_tokenizer())], first.get_input_embeddings().weight)
    assert torch.equal(words[ids["<|vision_end|>"]], first.model.image_newline)


def test_items_hold_memory_clip_and_the_closing_word(model: Any, encoded: EncodedStory, reader: Reader) -> None:
    assert encoded.tokens.shape[:3] == (6, 8, 9)
    packed, _ = clip_item(reader, model, encoded, 5, 16, 0.0625, random.Random(3))
    assert packed.visual is not None
    num_memory = len(packed.visual) - 72
    assert num_memory == 5 * 5
    torch.testing.assert_close(packed.visual[num_memory:], encoded.tokens[5].flatten(0, 1).float())
    text = reader.tokenizer.convert_ids_to_tokens(list(packed.prefix_ids))
    assert text[packed.visual_start - 1] == "<|vision_start|>"
    assert text[-1] == "<|vision_end|>"
    assert set(text[packed.visual_start : -1]) == {"<|video_pad|>"}
    for seed in range(6):  # unfinished clips of odd and even numbers of frames
        live, _ = live_item(reader, model, encoded, 3, random.Random(seed))
        assert live.visual is not None
        assert live.positions is not None
        assert len(live.visual) % 9 == 0
        assert live.positions.shape == (3, len(live.prefix_ids))
    short, _ = short_items(reader, model, 3, 2, random.Random(4))[0]
    assert short.visual is not None
    assert len(short.visual) == 2 * 9


def test_frames_fill_whole_steps() -> None:
    assert whole_steps([0.0, 2.0, 4.0], 2) == [0.0, 2.0, 4.0, 4.0]
    assert whole_steps([0.0, 2.0], 2) == [0.0, 2.0]
    assert whole_steps([0.0], 1) == [0.0]


def test_pairs_are_labelled_by_both_frames_the_later_one_more() -> None:
    torch.testing.assert_close(mixed(torch.tensor([[1.0], [0.0], [0.0], [3.0]])), torch.tensor([[1 / 3], [2.0]]))
    assert sum(FRAME_SHARES) == pytest.approx(1.0)
    pixels, labels = pair_batch(random.Random(1), 16)
    assert pixels.shape == (32, 3, 96, 96)
    torch.testing.assert_close(labels.shapes.sum(-1), torch.ones(16, 9))
    assert set(labels.colours.sum(-1).round(decimals=4).unique().tolist()) == {0.0, 1.0}
    unlike = (pixels[::2] - pixels[1::2]).abs().amax((1, 2, 3))
    assert (unlike[:8] < 0.6).all()  # still, but for the noise
    assert (unlike[8:] > 0.6).sum() >= 4


def test_labels_of_a_step_say_what_has_happened_by_its_last_frame() -> None:
    for seed in range(2**32, 2**32 + 20):
        story = make_story(seed, 3, DIFFICULTIES["default"])
        span = clip_spans(story.duration_seconds, 32.0)[1]
        truth = true_caption(story, span, span.start_seconds)
        if any(clause.event and clause.event.kind == Kind.LEAVE for clause in truth.clauses):
            break
    times = frame_times(span)
    steps = clip_labels(story, truth, times, 0, FRAMES_PER_STEP)
    assert max(one.position for one in steps) < 72
    assert sum(one.kind == "when" for one in steps) == 72
    later = clip_labels(story, truth, times[1::2], 0)
    assert {one for one in later if one.kind == "deed"} <= set(steps) | {one for one in later if one not in steps}
    same = len(set(steps) & set(later)) / len(set(later))
    assert same > 0.9
    still = [seconds for seconds in times for _ in range(2)]
    assert set(clip_labels(story, truth, still, 0, 2)) == set(clip_labels(story, truth, times, 0))


def test_a_step_of_watching_learns(model: Any, reader: Reader) -> None:
    step = watching_step(model, InnerHeads(MODEL_DIM), reader, StoryPool(model, 2, 2), replace(FROM_THE_FIRST))
    loss, figures = step(70, random.Random(5))
    loss.backward()
    assert torch.isfinite(loss)
    assert any("inner" in name for name in figures)


def test_other_architectures_are_named_in_the_error() -> None:
    class Other:
        class config:  # noqa: N801 - as in transformers
            model_type = "other"

    with pytest.raises(SettingError, match=r"must be one of .*, got 'other'"):
        architecture_of(Other())


def test_questions_about_captions_have_no_video(reader: Reader) -> None:
    packed, _ = journal_item(reader, random.Random(4), 3, 4)
    assert packed.positions is None
    assert prompts.CAPTIONS_END in reader.tokenizer.decode(list(packed.prefix_ids))


@pytest.mark.parametrize(
    ("architecture", "stage", "first_folder", "message"),
    [
        ("qwen2_5_vl", "copying", Path("x"), "must be one of tower, alignment, watching, got 'copying'"),
        ("qwen2_5_vl", "tower", None, "needs the first model's folder"),
        ("llava_onevision", "tower", Path("x"), "needs the first model's folder"),
    ],
)
def test_a_run_that_cannot_be_says_why(architecture: str, stage: str, first_folder: Path | None, message: str) -> None:
    wanted = argparse.Namespace(architecture=architecture, stage=[stage], first_folder=first_folder)
    with pytest.raises(SettingError, match=message):
        run_stages(0, wanted)
