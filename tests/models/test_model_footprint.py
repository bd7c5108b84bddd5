"""The computed footprint against measured tensors of random models, and the numbers that docs/memory.md states."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models import footprint
from keepsight.models.adapters.llava_onevision import LlavaOnevisionAdapter
from keepsight.models.checkpoint import load_config
from keepsight.models.footprint import ModelShape
from keepsight.models.loading import load_model
from tests.models.live_bytes import LiveBytes
from tests.models.random_model import ModelFolder, RandomShape, random_config, word_tokenizer
from tests.models.stock_model import StockModel, random_frames

MEMORY_PAGE = Path(__file__).parents[2] / "docs" / "memory.md"
SEVEN_B = ModelShape(
    num_parameters=8_029_890_080,
    num_layers=28,
    hidden_size=3584,
    num_heads=28,
    num_key_value_heads=4,
    head_dim=128,
    intermediate_size=18944,
    vocab_size=152_000,
    vision_hidden_size=1152,
    vision_intermediate_size=4304,
    frame_height=384,
    frame_width=384,
    patches_per_frame=729,
    token_grid=(14, 14),
)
SHAPES = [
    pytest.param(
        {"num_layers": 2, "num_heads": 8, "num_key_value_heads": 8, "head_dim": 16, "intermediate_size": 256},
        id="no-groups",
    ),
    pytest.param({"num_layers": 4, "intermediate_size": 512}, id="wide-feed-forward"),
    pytest.param(
        {"num_layers": 6, "num_heads": 7, "num_key_value_heads": 1, "intermediate_size": 300}, id="groups-of-7"
    ),
]


@pytest.mark.parametrize("has_head", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("sizes", SHAPES)
def test_parameters_are_counted_exactly(sizes: dict[str, int], ties: bool, has_head: bool) -> None:
    config: Any = random_config(RandomShape(**sizes), word_tokenizer())
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = ties
    config.vision_config.vision_use_head = has_head
    model = LlavaOnevisionForConditionalGeneration(config)
    assert LlavaOnevisionAdapter.shape(config, {}).num_parameters == sum(
        weight.numel() for weight in model.parameters()
    )


@pytest.mark.parametrize("sizes", SHAPES)
def test_keys_and_values_are_counted_exactly(model_folder: ModelFolder, sizes: dict[str, int]) -> None:
    stock = StockModel(model_folder(**sizes), attention="sdpa", dtype=torch.bfloat16)
    ids = stock.prompt_ids("a dog arrives", 0)
    with torch.inference_mode():
        cache = stock.model(input_ids=ids, use_cache=True).past_key_values
    measured = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    shape = LlavaOnevisionAdapter.shape(stock.model.config, {})
    assert footprint.key_value_bytes(shape, ids.shape[1], bytes_per_value=2) == measured


@pytest.mark.parametrize("sizes", SHAPES)
def test_working_memory_is_bounded_closely(model_folder: ModelFolder, sizes: dict[str, int]) -> None:
    folder = model_folder(grid=10, **sizes)
    model, shape = load_model(folder), LlavaOnevisionAdapter.shape(load_config(folder), {})
    assert isinstance(model, LlavaOnevisionAdapter)
    frames = random_frames(16, height=40, width=40)
    tokens = model.encode(frames)
    request = DescribeRequest(max_new_tokens=8)
    with LiveBytes() as describing:
        model.describe(VisualInput(tokens, tokens), request)
    length = model.info.context_window_tokens - model.max_memory_tokens(2 * len(tokens), request)
    computed = footprint.key_value_bytes(shape, length, 4) + footprint.decoder_activation_bytes(shape, length, 4)
    assert 0.8 * computed < describing.peak <= computed
    with LiveBytes() as encoding, torch.inference_mode():
        model.encode_batch(frames)
    computed = footprint.tower_activation_bytes(shape, 16, 4)
    assert 0.6 * computed < encoding.peak <= computed
    with LiveBytes() as in_smaller_batches:
        model.encode(frames)
    assert in_smaller_batches.peak < encoding.peak


def test_the_documented_numbers_are_the_computed_ones() -> None:
    """Every gigabyte in docs/memory.md's 7B table comes out of the formulas."""
    text = MEMORY_PAGE.read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \|[^|]*\| ([0-9.]+) \|$", text, re.M))
    peak = footprint.describe_footprint(SEVEN_B, 2)
    assert f"over {footprint.default_context_tokens(SEVEN_B):,} tokens" in text
    computed = {
        "weights": peak.weight_bytes,
        "keys and values": peak.key_value_bytes,
        "activations": peak.activation_bytes,
        "logits of the last position": peak.logit_bytes,
        "**sum**": peak.total_bytes,
    }
    assert {name: f"{num_bytes / 1e9:.4f}" for name, num_bytes in computed.items()} == table


def test_a_float32_copy_of_a_product_is_counted_where_kernels_make_one() -> None:
    """While the up projection is summed, the activated gate and its output are alive, and 4 bytes for each value of it;
    after it, the gate, the output and their product are, which is less."""
    plain, apart = (footprint.describe_footprint(SEVEN_B, 2, 6_529, sums_apart=one) for one in (False, True))
    assert apart.activation_bytes - plain.activation_bytes == 6_529 * 18_944 * (2 + 2 + 4 - 3 * 2)
    assert replace(apart, activation_bytes=plain.activation_bytes) == plain
    tower, apart_tower = (footprint.tower_activation_bytes(SEVEN_B, 2, 2, sums_apart=one) for one in (False, True))
    assert apart_tower - tower == 2 * 729 * 4304 * (2 + 4 - 2 * 2)
    in_float32 = footprint.describe_footprint(SEVEN_B, 4, 6_529, sums_apart=True)
    assert in_float32.activation_bytes == 2 * plain.activation_bytes


def test_the_7b_terms_by_hand() -> None:
    assert SEVEN_B.tokens_per_step == 196
    assert footprint.key_value_bytes(SEVEN_B, 1, 2) == 57_344  # 2 x 28 layers x 4 heads x 128 x 2 bytes
    assert 8.0e9 < SEVEN_B.num_parameters < 8.1e9
    peak = footprint.describe_footprint(SEVEN_B, 2, 6_529)
    full_attention = 28 * 6_529**2 * 2  # one layer's matrix of all heads
    assert peak.activation_bytes + peak.key_value_bytes < full_attention
    assert footprint.default_context_tokens(SEVEN_B) == 2 * 16 * 196 + 1 + 256
