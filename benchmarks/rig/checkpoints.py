"""Checkpoints of random weights with real sizes, written shard by shard, so that no more than one is in memory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import CONFIG_MAPPING, GenerationConfig

from keepsight.models.checkpoint import quiet_transformers
from tests.models.architecture import Architecture
from tests.models.architectures import ARCHITECTURES
from tests.models.test_supported_architectures import PUBLISHED

SHARD_BYTES = 500_000_000


@dataclass(frozen=True)
class Case:
    """A model to write.

    Attributes:
        model_type: its architecture.
        text: sizes of the decoder that differ from the published ones of the first example.
        tower: sizes of the vision tower that differ.
        ties: whether the head shares the embeddings' weights; None as published.
    """

    model_type: str
    text: Mapping[str, Any]
    tower: Mapping[str, Any]
    ties: bool | None = None


_SMALL_QWEN2 = {"hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2}

CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        "llava-0.5b": Case(
            "llava_onevision", {**_SMALL_QWEN2, "num_hidden_layers": 3}, {"num_hidden_layers": 2}, ties=True
        ),
        "llava-7b": Case("llava_onevision", {"num_hidden_layers": 1}, {"num_hidden_layers": 2}, ties=True),
        "internvl-1b": Case("internvl", {"num_hidden_layers": 3}, {"num_hidden_layers": 2}),
        "qwen2.5-vl-3b": Case("qwen2_5_vl", {"num_hidden_layers": 3}, {"depth": 3, "fullatt_block_indexes": [1]}),
        "qwen3-vl-2b": Case("qwen3_vl", {"num_hidden_layers": 4}, {"depth": 3, "deepstack_visual_indexes": [0, 1, 2]}),
        "gemma3-4b": Case(
            "gemma3",
            {"num_hidden_layers": 3, "layer_types": ["sliding_attention", "full_attention", "full_attention"]},
            {"num_hidden_layers": 2},
        ),
        "smolvlm2-500m": Case("smolvlm", {"num_hidden_layers": 4}, {"num_hidden_layers": 2}),
        "llava-0.5b-whole": Case("llava_onevision", {**_SMALL_QWEN2, "num_hidden_layers": 24}, {}, ties=True),
    }
)
"""Models by name: published sizes with few layers, and one in full."""


def write_case(case: Case, folder: Path, dtype: torch.dtype) -> Path:
    """Write a checkpoint and return its folder: shards with an index, configuration, tokenizer and settings."""
    architecture = next(one for one in ARCHITECTURES if one.model_type == case.model_type)
    config = _config(case, architecture)
    config.dtype = dtype
    tokenizer = architecture.tokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers(), torch.device("meta"):
        model: Any = architecture.model_class(config)
    model.tie_weights()
    _write_shards(model, folder, dtype)
    config.architectures = [architecture.model_class.__name__]
    config.save_pretrained(folder)
    GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_settings(config)), encoding="utf-8")
    return folder


def _config(case: Case, architecture: Architecture) -> Any:
    """The published configuration, with the case's sizes, and the ids of the small tokenizer."""
    published = PUBLISHED[case.model_type]
    small = architecture.config(architecture.tokenizer(), 2, 32_768)
    ids = {name: value for name, value in small.to_dict().items() if name.endswith(("_token_id", "_token_index"))}
    tied = {} if case.ties is None else {"tie_word_embeddings": case.ties}
    text = {**published["text_config"], **case.text, **tied, "max_position_embeddings": 32_768}
    return CONFIG_MAPPING[case.model_type](
        **{
            **published,
            **ids,
            **tied,
            "text_config": text,
            "vision_config": {**published["vision_config"], **case.tower},
        }
    )


def _settings(config: Any) -> dict[str, Any]:
    size = getattr(config.vision_config, "image_size", None)
    if size is None:
        return {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    side = size if isinstance(size, int) else size[0]
    return {"size": {"height": side, "width": side}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def _write_shards(model: Any, folder: Path, dtype: torch.dtype) -> None:
    weight_map: dict[str, str] = {}
    for number, names in enumerate(_parts(model), start=1):
        name = f"model-{number:05d}.safetensors"
        save_file({one: _random(model.get_parameter(one), dtype) for one in names}, folder / name, {"format": "pt"})
        weight_map |= dict.fromkeys(names, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _parts(model: Any) -> Iterator[list[str]]:
    """Names of weights in groups of `SHARD_BYTES` in float32."""
    names: list[str] = []
    room = SHARD_BYTES
    for name, weight in model.named_parameters():
        if names and 4 * weight.numel() > room:
            yield names
            names, room = [], SHARD_BYTES
        names.append(name)
        room -= 4 * weight.numel()
    yield names


def _random(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Small uniform numbers: what a model costs does not depend on its weights."""
    return torch.empty(weight.shape, dtype=dtype).uniform_(-0.02, 0.02)
