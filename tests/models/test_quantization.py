"""Weights of fewer bits: the scores of the rounded weights, exactly, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.errors import ModelTooBigError, SettingError
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models import loading
from keepsight.models.checkpoint import load_config
from keepsight.models.footprint import weight_bytes
from keepsight.models.hardware import free_memory
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.random_model import ModelFolder
from tests.models.stock_model import StockModel, random_frames

pytest.importorskip("torchao", reason="torchao is not installed: pip install 'keepsight[quantization]'")
SIZES = {"num_layers": 3, "num_heads": 4, "head_dim": 16, "intermediate_size": 128}
NEW_TOKENS = 8


def rounded(folder: Path, quantization: str, model: Any) -> StockModel:
    """The stock model with the adapter's rounded weights as plain numbers."""
    stock = StockModel(folder)
    ours = dict(model.language_side.decoder.named_modules())
    for name, module in stock.model.get_decoder().named_modules():
        if isinstance(module, torch.nn.Linear):
            module.weight = torch.nn.Parameter(ours[name].weight.dequantize().float())
    return stock


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_scores_are_those_of_the_rounded_weights_under_full_eager_attention(
    model_folder: ModelFolder, quantization: str
) -> None:
    folder = model_folder(**SIZES)
    model: Any = load_model(folder, quantization=quantization)
    assert model.info.quantization == quantization
    tokens = model.encode(random_frames(8))
    torch.testing.assert_close(tokens, load_model(folder).encode(random_frames(8)))  # the tower is not quantised
    description = model.describe(VisualInput(tokens, tokens), DescribeRequest(max_new_tokens=NEW_TOKENS))

    stock = rounded(folder, quantization, model)
    ids = stock.prompt_ids(DESCRIBE_PROMPT, 2 * len(tokens) + 1)
    embeds = stock.embeds(ids, torch.cat([tokens, tokens]))
    reply = stock.generate(NEW_TOKENS, inputs_embeds=embeds)
    assert description.caption == stock.tokenizer.decode(reply, skip_special_tokens=True).strip()
    columns = (ids[0] == stock.video_id).nonzero().flatten().tolist()[len(tokens) : -1]
    expected = stock.scores(embeds, reply, model.info.score_layers, columns)
    torch.testing.assert_close(description.scores.double(), expected, rtol=1e-4, atol=1e-9)
    exact = StockModel(folder).scores(embeds, reply, model.info.score_layers, columns)
    assert not torch.allclose(expected, exact, rtol=1e-4)  # rounding did something


@pytest.mark.parametrize(("quantization", "bits"), [("int8", 8), ("int4", 5)])  # with 4 bits, 32 more for 32 weights
def test_the_computed_saving_is_that_of_the_decoders_linear_layers(
    model_folder: ModelFolder, quantization: str, bits: int
) -> None:
    from keepsight.models.adapters.llava_onevision import LlavaOnevisionAdapter

    stock = StockModel(model_folder(**SIZES)).model
    linear = sum(
        module.weight.numel() for module in stock.get_decoder().modules() if isinstance(module, torch.nn.Linear)
    )
    shape = LlavaOnevisionAdapter.shape(stock.config, {})
    saved = weight_bytes(shape, 2) - weight_bytes(shape, 2, quantization)
    assert saved == linear * (16 - bits) // 8


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_the_computed_weights_are_those_in_memory_on_a_cpu(
    model_folder: ModelFolder, quantization: str, dtype: str
) -> None:
    from keepsight.models.adapters.llava_onevision import LlavaOnevisionAdapter

    folder = model_folder(num_layers=3, num_heads=16, head_dim=32, num_key_value_heads=16, intermediate_size=512)
    model: Any = load_model(folder, device="cpu", quantization=quantization, dtype=dtype)
    shape = LlavaOnevisionAdapter.shape(load_config(folder), {})
    computed = weight_bytes(shape, DTYPES[dtype].itemsize, quantization, "cpu")
    linear: list[Any] = [
        one.weight for one in model.language_side.decoder.modules() if isinstance(one, torch.nn.Linear)
    ]
    parts = [getattr(weight, name) for weight in linear for name in weight.__tensor_flatten__()[0]]
    others = shape.num_parameters - shape.num_linear_weights
    in_memory = sum(part.nbytes for part in parts) + others * DTYPES[dtype].itemsize
    assert computed <= in_memory < 1.03 * computed  # the scale of each row is not counted


def test_a_model_that_fits_only_when_quantised_is_loaded_so(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(**SIZES)
    need = {name: load_model(folder, quantization=name).info.memory_bytes for name in (None, "int8")}
    between = (need[None] + need["int8"]) // 2
    monkeypatch.setattr(free_memory, "free_memory_bytes", lambda _: between)
    with pytest.raises(ModelTooBigError):
        load_model(folder)
    assert load_model(folder, quantization="int8").info.quantization == "int8"


def test_an_unknown_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="quantization must be one of int8, int4, got"):
        load_model(tmp_path / "nothing", quantization="int3")


def test_without_torchao_one_line_says_what_to_install(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchao", None)
    with pytest.raises(SettingError, match=r'pip install "keepsight\[quantization\]"'):
        loading.load_model(model_folder(**SIZES), quantization="int8")


def test_four_bits_for_a_width_that_has_no_whole_groups_are_refused(model_folder: ModelFolder) -> None:
    """torchao would end in an assertion of its own."""
    folder = model_folder()  # its feed-forward part is 72 wide
    assert load_model(folder, device="cpu", quantization="int8").info.quantization == "int8"
    refused = (
        r"^int4 needs layers whose width is a multiple of 32, but this model has one of \d+; try --quantization int8$"
    )
    with pytest.raises(SettingError, match=refused):
        load_model(folder, device="cpu", quantization="int4")
