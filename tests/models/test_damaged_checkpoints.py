"""Damaged checkpoints: each gives one clear line, before costly work, instead of wrong text or a traceback."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from keepsight.errors import ModelError, UnsupportedModelError
from keepsight.models.loading import load_model
from tests.models.architecture import Architecture
from tests.models.architectures import ARCHITECTURES
from tests.models.random_model import ModelFolder

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
FORMATS = "float64, float32, float16, bfloat16"
AGAIN = "correct it, or download the model again"

BY_NAME = {str(architecture): architecture for architecture in ARCHITECTURES}


@pytest.fixture
def folder(model_folder: ModelFolder, tmp_path: Path) -> Path:
    """A checkpoint that a test may change."""
    return Path(shutil.copytree(model_folder(), tmp_path / "model"))


def edit(path: Path, changes: dict[str, Any], part: str | None = None) -> None:
    content = json.loads(path.read_text())
    (content if part is None else content[part]).update(changes)
    path.write_text(json.dumps(content))


def edit_weights(folder: Path, changes: dict[str, Tensor]) -> None:
    save_file(load_file(folder / WEIGHTS) | changes, folder / WEIGHTS, {"format": "pt"})


def refusal(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(folder, device="cpu")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("part", [None, "text_config"])
@pytest.mark.parametrize(
    ("key", "settings", "method"),
    [
        ("quantization_config", {"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ("quantization_config", {"quant_method": "awq", "bits": 4}, "awq"),
        ("quantization_config", {"quant_method": "gptq", "bits": 4}, "gptq"),
        ("quantization_config", {"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ("quantization_config", {"load_in_8bit": True}, "bitsandbytes"),
        ("quantization_config", {"quant_method": "compressed-tensors"}, "compressed-tensors"),
        ("compression_config", {"format": "pack-quantized"}, "an unnamed method"),
    ],
)
def test_quantized_weights_are_refused_from_the_configuration_alone(
    folder: Path, part: str | None, key: str, settings: dict[str, Any], method: str
) -> None:
    edit(folder / "config.json", {key: settings}, part)
    (folder / WEIGHTS).unlink()
    error = refusal(folder)
    assert isinstance(error, UnsupportedModelError)
    assert str(error) == (
        f"the weights of {folder} must not be quantized, got {method} in its {key}; give the model that it was made "
        "from, with --quantization int8 or int4 if memory is short"
    )


@pytest.mark.parametrize(
    ("name", "dtype", "stored"),
    [
        ("language_model.model.norm.weight", torch.int8, "I8"),
        ("language_model.model.layers.1.mlp.up_proj.weight", torch.float8_e4m3fn, "F8_E4M3"),
        ("image_newline", torch.int64, "I64"),
    ],
)
def test_weights_in_formats_of_quantized_models_are_refused(
    folder: Path, name: str, dtype: torch.dtype, stored: str
) -> None:
    edit_weights(folder, {name: load_file(folder / WEIGHTS)[name].to(dtype)})
    error = refusal(folder)
    assert isinstance(error, UnsupportedModelError)
    assert str(error) == (
        f"the weights in {folder} must be stored as F64, F32, F16 or BF16, got {stored} for {name}; give a model that "
        "is not quantized, with --quantization int8 or int4 if memory is short"
    )


def test_integers_that_the_model_has_as_integers_are_no_weights(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Earlier files hold the positions of patches, 0, 1, 2 ..., which the model has anyway."""
    edit_weights(folder, {"vision_tower.vision_model.embeddings.position_ids": torch.arange(25)[None]})
    assert load_model(folder, device="cpu").info.dtype == "float32"
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("part", "stack", "first"),
    [
        ("text_config", "model.language_model.layers", "2.input_layernorm.weight"),
        ("vision_config", "model.vision_tower.encoder.layers", "1.layer_norm1.bias"),
    ],
)
def test_layers_beyond_the_configuration_are_not_left_out(folder: Path, part: str, stack: str, first: str) -> None:
    num_layers = int(first[0])
    changes: dict[str, Any] = {"num_hidden_layers": num_layers}
    if part == "text_config":
        changes |= {"layer_types": ["full_attention"] * num_layers}
    edit(folder / "config.json", changes, part)
    assert str(refusal(folder)) == (
        f"the configuration in {folder} must have all layers of the weights, got {num_layers} in {stack}, of which the "
        f"files have {stack}.{first}; download the model again"
    )


def test_other_tensors_without_a_place_are_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    edit_weights(folder, {"model.draft_head.weight": torch.zeros(2, 2), "model.draft_head.bias": torch.zeros(2)})
    with caplog.at_level(logging.WARNING, "keepsight"):
        load_model(folder, device="cpu")
    assert caplog.messages == [f"{folder}: 2 tensors of the files are not used, first model.draft_head.bias"]


def test_a_wrong_shape_is_said_with_both_shapes(folder: Path) -> None:
    edit_weights(folder, {"language_model.model.layers.0.mlp.up_proj.weight": torch.zeros(7, 32)})
    assert str(refusal(folder)) == (
        f"1 tensors in {folder} have another shape than its config.json says: "
        "model.language_model.layers.0.mlp.up_proj.weight must be [72, 32], got [7, 32]; download the model again"
    )


def test_experts_of_several_shapes_are_named(tmp_path: Path) -> None:
    folder = BY_NAME["glm4v_moe"].write(tmp_path / "model")
    first, odd = (f"model.language_model.layers.1.mlp.experts.{expert}.down_proj.weight" for expert in (0, 2))
    shape = list(load_file(folder / WEIGHTS)[first].shape)
    edit_weights(folder, {odd: torch.zeros(3, 5)})
    assert str(refusal(folder)) == (
        f"all experts of a layer in {folder} must have one shape, got {shape} for {first} and [3, 5] for {odd}; "
        "download the model again"
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_no_architecture_leaves_out_layers_of_its_tower(architecture: Architecture, tmp_path: Path) -> None:
    folder = architecture.write(tmp_path / "model")
    tower = json.loads((folder / "config.json").read_text())["vision_config"]
    key = next((key for key in ("num_hidden_layers", "depth") if tower.get(key, 1) > 1), None)
    if key is None:
        assert str(architecture) == "gemma4_unified"  # which has no tower
        return
    levels = {name: [0] * len(tower[name]) for name in ("deepstack_visual_indexes",) if name in tower}
    edit(folder / "config.json", {key: 1, **levels}, "vision_config")
    error = str(refusal(folder))
    assert error.startswith(f"the configuration in {folder} must have all layers of the weights, got 1 in model.v")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-1", "-1"),
        ("Infinity", "Infinity"),
        ("NaN", "NaN"),
        ("0", "0"),
        ("1e-300", "1e-300"),
        ("101", "101"),
        ('"x"', '"x"'),
        ("true", "true"),
        ("[1.1]", "[1.1]"),
    ],
)
def test_an_impossible_published_penalty_is_refused(folder: Path, text: str, shown: str) -> None:
    path = folder / "generation_config.json"
    path.write_text(f'{{"repetition_penalty": {text}}}')
    (folder / WEIGHTS).unlink()  # which is not reached
    assert str(refusal(folder)) == (
        f"repetition_penalty in {path} must be a number from 0.01 to 100, got {shown}; {AGAIN}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "{path} must be a JSON object, got []; {again}"),
        ("5", "{path} must be a JSON object, got 5; {again}"),
        ('{"eos_token_id": "x"}', 'eos_token_id in {path} must be a token id or a list of them, got "x"; {again}'),
        (
            '{"eos_token_id": [1, -1]}',
            "eos_token_id in {path} must be a token id or a list of them, got [1, -1]; {again}",
        ),
        ('{"eos', "{path} is not JSON: Unterminated string starting at: line 1 column 2 (char 1); {again}"),
    ],
)
def test_a_damaged_generation_config_is_refused(folder: Path, text: str, message: str) -> None:
    path = folder / "generation_config.json"
    path.write_text(text)
    (folder / WEIGHTS).unlink()
    assert str(refusal(folder)) == message.format(path=path, again=AGAIN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": [1]}, f"dtype in {{path}} must be one of {FORMATS}, got [1]; {AGAIN}"),
        ({"dtype": "torch.float16"}, f'dtype in {{path}} must be one of {FORMATS}, got "torch.float16"; {AGAIN}'),
        ({"torch_dtype": "auto"}, f'torch_dtype in {{path}} must be one of {FORMATS}, got "auto"; {AGAIN}'),
        ({"text_config": []}, f"text_config in {{path}} must be an object, got []; {AGAIN}"),
        ({"vision_config": "x" * 99}, f'vision_config in {{path}} must be an object, got "{"x" * 56}...; {AGAIN}'),
        (
            {"tie_word_embeddings": "yes"},
            "cannot use {path}: Validation error for field 'tie_word_embeddings': TypeError: Field "
            "'tie_word_embeddings' expected bool, got str (value: 'yes')",
        ),
    ],
)
def test_a_damaged_configuration_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    path = folder / "config.json"
    edit(path, changes)
    (folder / WEIGHTS).unlink()
    assert str(refusal(folder)) == message.format(path=path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"num_attention_heads": 0}, "ZeroDivisionError: integer division or modulo by zero"),
        ({"hidden_act": "zz"}, "KeyError: 'zz'"),
        ({"vocab_size": 0}, "AssertionError: Padding_idx must be within num_embeddings"),
    ],
)
def test_a_configuration_of_no_model_is_refused(folder: Path, changes: dict[str, Any], fault: str) -> None:
    path = folder / "config.json"
    edit(path, changes, "text_config")
    (folder / WEIGHTS).unlink()
    assert str(refusal(folder)) == f"{path} does not describe a model ({fault}); {AGAIN}"


def test_a_tokenizer_that_is_a_number_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("5")
    assert str(refusal(folder)) == f"cannot load the tokenizer in {folder}: 'int' object has no attribute 'pop'"


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([], f"{{path}} must be a JSON object, got []; {AGAIN}"),
        ({"metadata": {}}, "{path} must have a weight_map, names of tensors to names of files; download it again"),
        ({"weight_map": [1]}, "{path} must have a weight_map, names of tensors to names of files; download it again"),
        (
            {"weight_map": {"a": 5}},
            "{path} must have a weight_map, names of tensors to names of files; download it again",
        ),
        (
            {"weight_map": {"a": "shard.safetensors"}},
            '{path} must have its "metadata", which may be empty, {{}}; add it, or download it again',
        ),
    ],
)
def test_a_damaged_index_is_refused(folder: Path, index: Any, message: str) -> None:
    (folder / WEIGHTS).rename(folder / "shard.safetensors")
    path = folder / INDEX
    path.write_text(json.dumps(index))
    assert str(refusal(folder)) == message.format(path=path)
