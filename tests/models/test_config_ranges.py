"""Token ids beyond the vocabulary and layers beyond the tower: one line before any weight is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from keepsight.errors import ModelError
from keepsight.models.checkpoint import load_config, quiet_transformers
from keepsight.models.config_ranges import check_ranges
from keepsight.models.loading import load_model
from tests.models.architecture import Architecture
from tests.models.architectures import ARCHITECTURES

AGAIN = "correct it, or download the model again"
QWEN_IDS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
GEMMA_4_IDS = ("boi_token_id", "eoi_token_id", "image_token_id", "video_token_id")
GLM_IDS = ("image_token_id", "video_token_id", "image_start_token_id", "image_end_token_id")
LLAVA_IDS = ("image_token_index", "video_token_index")
TOKEN_IDS = {
    "gemma3": ("boi_token_index", "eoi_token_index", "image_token_index"),
    "gemma4": GEMMA_4_IDS,
    "gemma4_unified": GEMMA_4_IDS,
    "glm4v": GLM_IDS,
    "glm4v_moe": GLM_IDS,
    "internvl": ("image_token_id",),
    "llava_next_video": LLAVA_IDS,
    "llava_onevision": LLAVA_IDS,
    "qwen2_5_vl": QWEN_IDS,
    "qwen2_vl": QWEN_IDS,
    "qwen3_5": QWEN_IDS,
    "qwen3_5_moe": QWEN_IDS,
    "qwen3_vl": QWEN_IDS,
    "qwen3_vl_moe": QWEN_IDS,
    "smolvlm": ("image_token_id",),
    "video_llama_3": ("image_token_id", "video_token_id"),
}
"""Settings in config.json that name a token, by architecture, besides those of the language model."""

OF_TEXT = ("bos_token_id", "eos_token_id", "pad_token_id")
FEATURE_LAYERS = ("internvl", "llava_next_video", "llava_onevision")
DEEPSTACK = ("qwen3_vl", "qwen3_vl_moe")


def write_config(architecture: Architecture, folder: Path) -> dict[str, Any]:
    """Write a configuration without weights, and return it."""
    with quiet_transformers():
        architecture.config(architecture.tokenizer(), 4, 2048).save_pretrained(folder)
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return content


def put(path: Path, content: dict[str, Any], part: str | None = None, **changes: Any) -> None:
    """Write a JSON file with some values changed."""
    changed = content | changes if part is None else content | {part: content[part] | changes}
    path.write_text(json.dumps(changed))


def refusal(folder: Path, config: Any = None) -> str:
    """What is said of a folder: by the check alone, or, without a configuration, when it is loaded."""
    with pytest.raises(ModelError) as caught:
        load_model(folder, device="cpu") if config is None else check_ranges(folder, config)
    return str(caught.value)


def by_type(*model_types: str) -> pytest.MarkDecorator:
    chosen = [one for one in ARCHITECTURES if one.model_type in (model_types or TOKEN_IDS)]
    return pytest.mark.parametrize("architecture", chosen, ids=str)


def test_the_table_has_every_architecture() -> None:
    assert {architecture.model_type for architecture in ARCHITECTURES} == set(TOKEN_IDS)


@by_type()
def test_token_ids_beyond_the_vocabulary_are_refused(architecture: Architecture, tmp_path: Path) -> None:
    content = write_config(architecture, tmp_path)
    path = tmp_path / "config.json"
    config = load_config(tmp_path)
    size = config.get_text_config().vocab_size
    check_ranges(tmp_path, config)
    part = "text_config" if "text_config" in content else None
    names = [(name, None) for name in TOKEN_IDS[architecture.model_type]] + [(name, part) for name in OF_TEXT]
    for name, where in names:
        for value in (size, size + 10**6, -2):
            put(path, content, where, **{name: value})
            said = refusal(tmp_path, config)
            assert said == (
                f"{name} in {path} must be a token id from 0 to {size - 1}, the vocabulary's last, got {value}; {AGAIN}"
            )
        put(path, content, where, **{name: size - 1})
        check_ranges(tmp_path, config)
    put(path, content, **{names[0][0]: size})
    assert refusal(tmp_path) == said.replace(names[-1][0], names[0][0]).replace("got -2", f"got {size}")


@by_type("llava_onevision")
def test_an_end_of_replies_beyond_the_vocabulary_is_refused(architecture: Architecture, tmp_path: Path) -> None:
    write_config(architecture, tmp_path)
    size = load_config(tmp_path).get_text_config().vocab_size
    path = tmp_path / "generation_config.json"
    put(path, {}, eos_token_id=[3, size])
    assert refusal(tmp_path) == (
        f"eos_token_id in {path} must be a token id from 0 to {size - 1}, the vocabulary's last, got [3, {size}]; "
        f"{AGAIN}"
    )


@by_type(*FEATURE_LAYERS)
def test_layers_beyond_the_tower_are_refused(architecture: Architecture, tmp_path: Path) -> None:
    content = write_config(architecture, tmp_path)
    path = tmp_path / "config.json"
    config = load_config(tmp_path)
    depth = config.vision_config.num_hidden_layers
    for value, whole in ((-99, None), (-depth - 2, config), (depth + 1, config), (99, config), ([-1, 77], config)):
        put(path, content, vision_feature_layer=value)
        assert refusal(tmp_path, whole) == (
            f"vision_feature_layer in {path} must be from {-depth - 1} to {depth}, the layers of the vision tower, "
            f"got {value}; {AGAIN}"
        )
    for value in (-depth - 1, depth):
        put(path, content, vision_feature_layer=value)
        check_ranges(tmp_path, config)


@by_type(*DEEPSTACK)
def test_deepstack_layers_beyond_the_tower_are_refused(architecture: Architecture, tmp_path: Path) -> None:
    content = write_config(architecture, tmp_path)
    path = tmp_path / "config.json"
    depth = load_config(tmp_path).vision_config.depth
    put(path, content, "vision_config", deepstack_visual_indexes=[0, depth])
    assert refusal(tmp_path) == (
        f"deepstack_visual_indexes in {path} must be from 0 to {depth - 1}, the layers of the vision tower, "
        f"got [0, {depth}]; {AGAIN}"
    )


def test_published_values_that_nothing_reads_are_no_fault(tmp_path: Path) -> None:
    """SmolVLM2 names a padding token of another vocabulary beside the language model's own; Llama files have -1."""
    (smolvlm,) = (one for one in ARCHITECTURES if one.model_type == "smolvlm")
    content = write_config(smolvlm, tmp_path)
    content["text_config"] |= {"bos_token_id": -1, "pad_token_id": -1}
    put(tmp_path / "config.json", content, pad_token_id=128_002)
    check_ranges(tmp_path, load_config(tmp_path))
