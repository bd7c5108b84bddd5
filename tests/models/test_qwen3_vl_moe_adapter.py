"""Experts: the published layout of their weights, and what they take of memory."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models import footprint
from keepsight.models.adapters.qwen3_vl_moe import Qwen3VLMoeAdapter
from keepsight.models.checkpoint import load_config
from keepsight.models.loading import load_model
from tests.models.arch_qwen3_vl_moe import Qwen3VLMoe
from tests.models.architecture import random_frames
from tests.models.live_bytes import LiveBytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Qwen3VLMoe().write(tmp_path_factory.mktemp("model"))


def test_experts_are_read_from_the_published_layout(folder: Path, tmp_path: Path) -> None:
    """Published files have the experts' matrices with inputs first, `[experts, inputs, outputs]`; saved ones last."""
    published = Path(shutil.copytree(folder, tmp_path / "model"))
    saved = load_file(folder / "model.safetensors")
    turned = {name: value.mT.contiguous() if ".experts." in name else value for name, value in saved.items()}
    assert turned["model.language_model.layers.3.mlp.experts.down_proj"].shape == (6, 24, 32)
    save_file(turned, published / "model.safetensors", metadata={"format": "pt"})
    for path in (folder, published):
        model: Any = load_model(path, device="cpu")
        held = model._model.state_dict()
        experts = [name for name in saved if ".experts." in name]
        assert len(experts) == 2 * 4
        assert all(torch.equal(held[name], saved[name]) for name in experts)


@pytest.mark.parametrize("sizes", [{}, {"moe_intermediate_size": 160}, {"num_experts_per_tok": 4}], ids=str)
def test_working_memory_is_bounded_closely(tmp_path: Path, sizes: dict[str, int]) -> None:
    class Wide(Qwen3VLMoe):
        def config(self, tokenizer: Any, num_layers: int, window: int) -> Any:
            config = super().config(tokenizer, num_layers, window)
            config.vision_config.out_hidden_size = 128
            config.text_config.update({"hidden_size": 128} | sizes)
            return config

    model = load_model(Wide().write(tmp_path), device="cpu")
    shape = Qwen3VLMoeAdapter.shape(load_config(tmp_path), {})
    assert shape.num_parameters == model.info.num_parameters
    tokens = model.encode(random_frames(16))
    clip = VisualInput(tokens, tokens, token_grid=(2, 4))
    request = DescribeRequest(max_new_tokens=8)
    with LiveBytes() as describing:
        model.describe(clip, request)
    without_memory = model.info.context_window_tokens - model.max_memory_tokens(len(tokens), request, like=clip)
    length = len(tokens) + without_memory
    computed = footprint.key_value_bytes(shape, length, 4) + footprint.decoder_activation_bytes(shape, length, 4)
    assert 0.95 * computed < describing.peak <= 1.03 * computed  # the router's indices are not counted


def test_quantization_is_not_promised_to_shrink_experts(folder: Path) -> None:
    shape = Qwen3VLMoeAdapter.shape(load_config(folder), {})
    attention = 4 * 32 * 12 * (2 * 4 + 2 * 2)  # layers, hidden size, head size, heads of queries, keys and values
    assert footprint.weight_bytes(shape, 2) - footprint.weight_bytes(shape, 2, "int8") == attention
