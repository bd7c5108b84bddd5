"""Weights placed one by one, against those that transformers loads in the wanted format, bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.models.checkpoint import StoredWeights, load_config, load_skeleton, load_weights, quiet_transformers
from keepsight.models.load_options import LoadOptions
from keepsight.models.placing import MappedModel, host_bytes_while_loading
from keepsight.models.registry import adapter_class
from tests.models.architecture import Architecture
from tests.models.architectures import ARCHITECTURES
from tests.models.live_bytes import LiveBytes
from tests.models.random_model import ModelFolder

FORMATS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
CASTS = [("float16", "float32"), ("bfloat16", "float32"), ("float32", "bfloat16"), ("bfloat16", "float16")]


def options_for(device: str, dtype: torch.dtype, quantization: str | None = None) -> LoadOptions:
    return LoadOptions("model", "model", torch.device(device), dtype, quantization=quantization)


def stored_as(architecture: Architecture, folder: Path, dtype: torch.dtype) -> Path:
    """A checkpoint in a format, in several shards with an index."""
    with quiet_transformers():
        model: Any = architecture.model_class.from_pretrained(architecture.write(folder / "whole"), dtype=dtype)
        model.save_pretrained(folder / "shards", max_shard_size="20KB")
    assert (folder / "shards" / "model.safetensors.index.json").is_file()
    return folder / "shards"


def everything(model: Any) -> dict[str, torch.Tensor]:
    """All weights and buffers by name, tied ones by each of their names."""
    return {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers(remove_duplicate=False))}


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


@pytest.mark.parametrize(("stored", "wanted"), CASTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_weights_cast_on_arrival_are_those_that_transformers_casts(
    architecture: Architecture, stored: str, wanted: str, tmp_path: Path
) -> None:
    folder, dtype = stored_as(architecture, tmp_path, FORMATS[stored]), FORMATS[wanted]
    files = StoredWeights.of(folder)
    assert FORMATS[stored] in files.dtypes.values()
    if files.only_dtype is None:  # some weights stay in float32, as transformers keeps those of GLM's router
        mapped = MappedModel.open(architecture.model_class, folder, options_for("cpu", dtype))
    else:
        source: Any = load_weights(architecture.model_class, folder, FORMATS[stored])
        mapped = MappedModel(source, load_skeleton(source, files, dtype))
    num_parameters = mapped.num_parameters
    placed = mapped.place(options_for("cpu", dtype))
    with quiet_transformers():
        whole: Any = architecture.model_class.from_pretrained(folder, dtype=dtype)
    ours, expected = everything(placed), everything(whole)
    assert ours.keys() == expected.keys()
    assert [name for name, value in expected.items() if not same(ours[name], value)] == []
    assert len(set(map(id, ours.values()))) == len(set(map(id, expected.values())))  # tied weights stay one
    assert num_parameters == sum(weight.numel() for weight in whole.parameters())
    assert placed.config.to_dict() == whole.config.to_dict()


def check_placed(folder: Path, model_class: Any) -> Any:
    """Compare a bfloat16 checkpoint, cast on arrival to float32, with what transformers loads."""
    source: Any = load_weights(model_class, folder, torch.bfloat16)
    skeleton: Any = load_skeleton(source, StoredWeights.of(folder), torch.float32)
    placed = MappedModel(source, skeleton).place(options_for("cpu", torch.float32))
    with quiet_transformers():
        expected = everything(model_class.from_pretrained(folder, dtype=torch.float32))
    ours = everything(placed)
    assert ours.keys() == expected.keys()
    assert [name for name, value in expected.items() if not same(ours[name], value)] == []
    return placed


@pytest.mark.parametrize("ties", [False, True])
def test_a_head_of_its_own_is_kept_and_counted_though_the_configuration_does_not_say_so(
    ties: bool, tmp_path: Path
) -> None:
    architecture = next(one for one in ARCHITECTURES if one.model_type == "internvl")
    config: Any = architecture.config(architecture.tokenizer(), 2, 64)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = ties
    model: Any = architecture.model_class(config)
    model.to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    del written["tie_word_embeddings"]
    (tmp_path / "config.json").write_text(json.dumps(written))

    placed = check_placed(tmp_path, architecture.model_class)
    assert (placed.lm_head.weight is placed.get_input_embeddings().weight) is ties
    counted = adapter_class("internvl").shape(load_config(tmp_path), {}).num_parameters
    assert counted == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_on_the_way_to_a_device_nothing_stays_behind_and_the_host_allocates_nothing(
    architecture: Architecture, tmp_path: Path
) -> None:
    options = options_for("meta", torch.float16)
    mapped = MappedModel.open(architecture.model_class, stored_as(architecture, tmp_path, torch.bfloat16), options)
    with LiveBytes() as placing:
        model = mapped.place(options)
    assert {value.device.type for value in everything(model).values()} == {"meta"}
    assert {weight.dtype for weight in model.parameters()} == {torch.float16}
    assert placing.peak == 0


def test_weights_in_the_wanted_format_are_views_of_their_files(model_folder: ModelFolder) -> None:
    options = options_for("cpu", torch.float32)
    mapped = MappedModel.open(_llava().model_class, model_folder(), options)
    before = {name: weight.data_ptr() for name, weight in mapped.source.named_parameters()}
    with LiveBytes() as placing:
        model = mapped.place(options)
    assert placing.peak == 0
    assert {name: weight.data_ptr() for name, weight in model.named_parameters()} == before


@pytest.mark.parametrize("stored", ["float16", "float32"])
def test_the_decoder_is_quantised_layer_by_layer(stored: str, model_folder: ModelFolder, tmp_path: Path) -> None:
    pytest.importorskip("torchao", reason="torchao is not installed: pip install 'keepsight[quantization]'")
    architecture = _llava()
    with quiet_transformers():
        written: Any = architecture.model_class.from_pretrained(
            model_folder(num_layers=8, intermediate_size=512), dtype=FORMATS[stored]
        )
        written.save_pretrained(tmp_path)
    options = options_for("cpu", torch.float32, "int8")
    mapped = MappedModel.open(architecture.model_class, tmp_path, options)
    linear = [
        module.weight.numel() for module in mapped.source.get_decoder().modules() if isinstance(module, torch.nn.Linear)
    ]
    others = mapped.num_parameters - sum(linear)
    with LiveBytes() as placing:
        mapped.place(options)
    cast = 4 * others if stored == "float16" else 0
    assert placing.peak < cast + 1.2 * sum(linear) + 12 * max(linear)  # rounded, scales, and one layer being rounded
    assert placing.peak < 4 * sum(linear)


def test_weights_in_several_formats_are_found(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = {"a": torch.ones(2, 3, dtype=torch.float16), "b": torch.ones(5), "c": torch.ones(7, dtype=torch.int64)}
    save_file(weights, tmp_path / "model.safetensors")
    stored = StoredWeights.of(tmp_path)
    assert stored.dtypes == {"a": torch.float16, "b": torch.float32, "c": None}
    assert stored.only_dtype is None
    assert stored.shapes == {"a": (2, 3), "b": (5,), "c": (7,)}
    assert host_bytes_while_loading(stored, torch.float16) == 4 * 7 + 2 * (5 + 7)
    assert host_bytes_while_loading(stored, torch.float32) == 4 * 7 + 4 * (6 + 7)


def test_the_host_needs_one_weight_at_a_time_when_all_have_one_format(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(20), "b": torch.ones(30)}, tmp_path / "model.safetensors")
    assert host_bytes_while_loading(StoredWeights.of(tmp_path), torch.float16) == 4 * 30


def _llava() -> Architecture:
    return next(one for one in ARCHITECTURES if one.model_type == "llava_onevision")
