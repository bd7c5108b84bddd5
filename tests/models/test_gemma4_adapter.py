"""What Gemma 4 alone has: a budget of tokens, times, and models that differ more than in size."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Gemma4Processor
from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size

from keepsight.method.protocol import DescribeRequest
from keepsight.models.adapters.gemma4 import Gemma4Adapter
from keepsight.models.vision.budget import BudgetRule
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_gemma4 import PAD, PER_LAYER, Gemma4
from tests.models.architecture import random_frames
from tests.models.contract_pair import Pair

NUM_FRAMES = 4


class Small(Gemma4):
    """As E2B and E4B: embeddings per layer, shared keys, all attention causal."""

    def decoder_sizes(self, num_layers: int) -> dict[str, Any]:
        causal = {"use_bidirectional_attention": None, "attention_k_eq_v": False}
        return super().decoder_sizes(num_layers) | causal


class Large(Gemma4):
    """As 31B: neither embeddings per layer nor shared keys; pictures in both directions."""

    def decoder_sizes(self, num_layers: int) -> dict[str, Any]:
        plain = {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "use_double_wide_mlp": False}
        return super().decoder_sizes(num_layers) | plain


class Experts(Large):
    """As 26B-A4B: experts beside the feed-forward part."""

    def decoder_sizes(self, num_layers: int) -> dict[str, Any]:
        experts = {"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 24}
        return super().decoder_sizes(num_layers) | experts


@pytest.mark.parametrize("architecture", [Small(), Large(), Experts()], ids=["small", "large", "experts"])
def test_models_of_each_kind_are_scored_as_stock(architecture: Gemma4, tmp_path: Path) -> None:
    pair = Pair(architecture, architecture.write(tmp_path / "model"))
    frames = random_frames(NUM_FRAMES)
    visual = pair.shown(pair.memory(9), frames)
    reply, scores = pair.expected(visual, frames)
    described = pair.model.describe(visual, DescribeRequest(max_new_tokens=8))
    assert described.caption == pair.stock.text(reply)
    torch.testing.assert_close(described.scores.double(), scores, rtol=1e-5, atol=1e-8)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    architecture = Gemma4()
    return Pair(architecture, architecture.write(tmp_path_factory.mktemp("model")))


def test_the_words_are_the_stock_processors(pair: Pair) -> None:
    seconds = (70.0, 100.0, 130.9, 3800.0)
    frames = random_frames(NUM_FRAMES)
    visual = pair.shown(pair.nothing, frames, seconds)
    processor: Any = SimpleNamespace(boi_token="<|image>", eoi_token="<image|>", video_token=PAD)
    video = {
        "num_soft_tokens_per_video": [len(visual.tokens) // NUM_FRAMES],
        "video_metadata": [SimpleNamespace(fps=1.0, timestamps=[time - seconds[0] for time in seconds])],
    }
    inside = Gemma4Processor.replace_video_token(processor, video, 0)
    assert "62:10" in inside
    closing = "<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
    expected = pair.stock.ids(f"<bos><|turn>user\n{inside}{DESCRIBE_PROMPT}{closing}")
    model: Any = pair.model
    pieces = model.lay_out(model._prompts.ids(DESCRIBE_PROMPT, with_video=True), visual)
    ids = [
        token
        for piece in pieces
        for token in (piece if isinstance(piece, list) else [pair.stock.placeholder_id] * len(piece.tokens))
    ]
    assert ids == expected


@given(height=st.integers(1, 3000), width=st.integers(1, 3000), budget=st.sampled_from([70, 140, 280]))
def test_frames_have_the_size_that_the_stock_processor_gives_them(height: int, width: int, budget: int) -> None:
    rule = BudgetRule(patch_pixels=16, pooled_patches=3, max_tokens=budget)
    expected = get_aspect_ratio_preserving_size(height, width, 16, budget * 9, 3)
    rows, columns = rule.token_grid(height, width)
    assert (rows * 48, columns * 48) == expected
    assert 0 < rows * columns <= budget


@pytest.mark.parametrize(("budget", "grid"), [(70, (7, 10)), (280, (14, 20)), (7, (1, 7)), (9, (3, 3))])
def test_the_whole_budget_is_a_grid(budget: int, grid: tuple[int, int]) -> None:
    assert BudgetRule(16, 3, budget).whole_grid == grid


def test_the_budget_is_that_for_videos(pair: Pair, tmp_path: Path) -> None:
    assert pair.model.info.tokens_per_step == 7
    (tmp_path / "preprocessor_config.json").write_text('{"max_soft_tokens": 280, "image_mean": [0.5, 0.5, 0.5]}')
    settings = Gemma4Adapter.settings(tmp_path)
    config = pair.stock.model.config
    assert Gemma4Adapter.shape(config, settings).tokens_per_step == 70
    assert settings["image_mean"] == [0.0, 0.0, 0.0]


def test_the_footprint_has_the_widest_layers_sizes(pair: Pair) -> None:
    config = pair.stock.model.config
    shape = Gemma4Adapter.shape(config, {})
    assert (shape.head_dim, shape.num_key_value_heads) == (
        12,
        2,
    )  # 2 x 8 keys in layers with a window, 1 x 12 in others
    assert shape.intermediate_size == 2 * config.text_config.intermediate_size
    assert shape.num_parameters == sum(weight.numel() for weight in pair.stock.model.parameters())
    assert config.text_config.hidden_size_per_layer_input == PER_LAYER
