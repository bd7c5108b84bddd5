"""Checks of a checkpoint's JSON files before its weights are fetched; torch is not needed.

transformers ignores some damaged values, and follows others that give wrong text.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keepsight.errors import ModelError, SettingError, UnsupportedModelError
from keepsight.models.json_files import REMEDY, read_object, shown

LEAST_PENALTY, MOST_PENALTY = 0.01, 100
"""Range of a repetition penalty: beyond it, logits overflow or the prompt decides alone."""

_NUMBER_FORMATS = ("float64", "float32", "float16", "bfloat16")
_PARTS = ("text_config", "vision_config", "audio_config")


def check_config(name: str, path: Path, config: Mapping[str, Any]) -> None:
    """Check what a checkpoint's configuration says of its parts and number formats.

    Args:
        name: the model's name, as the user wrote it.
        path: config.json.
        config: its content.

    Raises:
        UnsupportedModelError: the weights are quantized.
        ModelError: a part is not an object, or a number format is unknown.
    """
    for part in _PARTS:
        if not isinstance(config.get(part), dict | None):
            raise ModelError(f"{part} in {path} must be an object, got {shown(config[part])}; {REMEDY}")
    for section in (config, *(config.get(part) or {} for part in _PARTS)):
        for key in ("quantization_config", "compression_config"):
            if section.get(key):
                raise UnsupportedModelError(
                    f"the weights of {name} must not be quantized, got {_method(section[key])} in its {key}; give the "
                    "model that it was made from, with --quantization int8 or int4 if memory is short"
                )
        for key in ("dtype", "torch_dtype"):
            if section.get(key) not in (None, *_NUMBER_FORMATS):
                raise ModelError(
                    f"{key} in {path} must be one of {', '.join(_NUMBER_FORMATS)}, got {shown(section[key])}; {REMEDY}"
                )


def check_generation_config(path: Path) -> None:
    """Check the settings of generation_config.json that are followed; a missing file has none.

    Raises:
        ModelError: the file is not a JSON object, or its repetition_penalty or eos_token_id is out of range.
    """
    content = read_object(path)
    penalty = content.get("repetition_penalty")
    if penalty is not None and not is_penalty(penalty):
        raise ModelError(
            f"repetition_penalty in {path} must be a number from {LEAST_PENALTY:g} to {MOST_PENALTY:g}, "
            f"got {shown(penalty)}; {REMEDY}"
        )
    ends = content.get("eos_token_id")
    if not all(_is_id(one) for one in (ends if isinstance(ends, list) else [] if ends is None else [ends])):
        raise ModelError(f"eos_token_id in {path} must be a token id or a list of them, got {shown(ends)}; {REMEDY}")


def shards_of(content: Mapping[str, Any], index: Path, remedy: str = "download it again") -> tuple[str, ...]:
    """Names of the files that an index of weights lists, in order.

    Args:
        content: of the index.
        index: its file.
        remedy: what to do about a damaged index, for the message.

    Raises:
        ModelError: it lists no files.
    """
    files = content.get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(file, str) for file in files.values()):
        raise ModelError(f"{index} must have a weight_map, names of tensors to names of files; {remedy}")
    return tuple(sorted(set(files.values())))


def check_penalty(penalty: float) -> None:
    """Check a repetition penalty that the user chose.

    Raises:
        SettingError: it is out of range.
    """
    if not is_penalty(penalty):
        raise SettingError(
            f"must be a number from {LEAST_PENALTY:g} to {MOST_PENALTY:g}, got {penalty!r}", "repetition_penalty"
        )


def is_penalty(value: object) -> bool:
    """Whether a value is a repetition penalty in range."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and LEAST_PENALTY <= value <= MOST_PENALTY  # type: ignore[operator]


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _method(quantization: object) -> str:
    """The method's name; older files of bitsandbytes have only its switches."""
    if not isinstance(quantization, dict):
        return shown(quantization)
    if "load_in_8bit" in quantization or "load_in_4bit" in quantization:
        return "bitsandbytes"
    return str(quantization.get("quant_method") or "an unnamed method")
