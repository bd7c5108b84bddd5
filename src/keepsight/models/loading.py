"""Loading of a model by bundled name, folder, or Hugging Face id.

Importing this module is cheap; torch and transformers are imported when a model is loaded.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepsight.errors import ModelTooBigError, UnknownModelError, UnsupportedModelError
from keepsight.incoming import closest
from keepsight.models.load_options import LoadOptions
from keepsight.models.registry import ADAPTER_GROUP, BundledModel, adapter_class, list_models

if TYPE_CHECKING:
    import torch

    from keepsight.method.protocol import BatchModel
    from keepsight.models.footprint import ModelShape

__all__ = ["BundledModel", "list_models", "load_model"]

_SMALL_FILES = ["*.json", "*.jinja"]
_WEIGHT_FILES = ["*.safetensors"]


def load_model(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    dtype: str | None = None,
    score_layers: tuple[int, ...] | None = None,
    quantization: str | None = None,
    compile_passes: bool = False,
) -> "BatchModel":
    """Load a model, after checking that its architecture is supported and that it fits in memory.

    No code from a checkpoint is run, and only safetensors weights are read.

    Args:
        name_or_path: a bundled name (`tiny`), a folder in Hugging Face format, or a hub id such as
            `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`.
        device: `cpu`, `cuda`, `cuda:1` ...; None or `auto` for CUDA if available, else the CPU.
        dtype: `float32`, `float16` or `bfloat16`; None for the checkpoint's own on a GPU, and float32 on a CPU, or
            bfloat16 for a large model where the CPU multiplies it (`keepsight.models.number_formats`).
        score_layers: decoder layers, 1-based, whose attention scores tokens; None for the paper's, scaled to the
            model's depth.
        quantization: `int8` or `int4` weights in the decoder (`keepsight.models.quantization`, needs torchao); None for
            none.
        compile_passes: compile the generation of captions and answers (`keepsight.models.decoding.compiled_passes`);
            takes up to a minute at the first clips, and pays where launches dominate, as on GPUs.

    Raises:
        UnknownModelError: no such bundled model, folder or reachable hub id.
        UnsupportedModelError: the architecture has no adapter.
        ModelTooBigError: not enough free memory on the device.
        ModelError: the checkpoint is damaged or incomplete.
        SettingError: device, dtype, score_layers, quantization or compile_passes are not possible.
    """
    from keepsight.models.checkpoint import load_config
    from keepsight.models.devices import choose_device
    from keepsight.models.number_formats import choose_dtype, published_dtype
    from keepsight.models.quantization import check_quantization

    name = str(name_or_path)
    check_quantization(quantization)
    chosen_device = choose_device(device)
    folder = _local_folder(name)
    config_folder = folder or _download(name, _SMALL_FILES)
    model_type = _supported_type(name, config_folder)
    adapter = adapter_class(model_type)
    shape = adapter.shape(load_config(config_folder), adapter.settings(config_folder))
    chosen_dtype = choose_dtype(
        dtype,
        chosen_device,
        published=published_dtype(config_folder),
        num_parameters=shape.num_parameters,
        overflows_float16=adapter.overflows_float16,
    )
    _check_fits(name, shape, chosen_device, chosen_dtype, quantization)
    folder = folder or _download(name, _SMALL_FILES + _WEIGHT_FILES)
    options = LoadOptions(
        name=name,
        checkpoint=_checkpoint(name, folder),
        device=chosen_device,
        dtype=chosen_dtype,
        score_layers=None if score_layers is None else tuple(score_layers),
        quantization=quantization,
        compile_passes=compile_passes,
    )
    return adapter.load(folder, options)


def _checkpoint(name: str, folder: Path) -> str:
    """What a name stands for, wherever it is used from: see `LoadOptions.checkpoint`."""
    if any(name == bundled.name for bundled in list_models()):
        return name
    if (Path(name) / "config.json").is_file():
        return str(Path(name).absolute())
    return f"{name}@{folder.name}"  # in the hub's cache, a snapshot's folder is named by its commit


def _local_folder(name: str) -> Path | None:
    """Folder of a bundled or local model; None if the name can only be a hub id.

    Raises:
        UnknownModelError: the name is none of them.
    """
    installed = list_models()
    for bundled in installed:
        if name == bundled.name:
            return bundled.folder
    folder = Path(name)
    if (folder / "config.json").is_file():
        return folder
    bundled_names = ", ".join(model.name for model in installed) or "none"
    if folder.exists():
        raise UnknownModelError(f"{name} is not a model folder: it has no config.json (bundled: {bundled_names})")
    if not _looks_like_hub_id(name):
        if near := closest(name, (model.name for model in installed)):
            raise UnknownModelError(f"no such model: {name!r}; did you mean {near}?")
        raise UnknownModelError(
            f"no such model: {name!r}; give a bundled model ({bundled_names}), a local folder or a "
            "Hugging Face id such as llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
        )
    return None


def _looks_like_hub_id(name: str) -> bool:
    owner, slash, rest = name.partition("/")
    return bool(owner.strip(".~") and slash and rest) and "/" not in rest


def _download(repo_id: str, patterns: list[str]) -> Path:
    """Folder with a hub repository's files matching the patterns, downloaded unless cached.

    Raises:
        UnknownModelError: no such repository, or the hub is unreachable.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(repo_id, allow_patterns=patterns))
    except (OSError, HFValidationError) as error:
        bundled_names = ", ".join(model.name for model in list_models()) or "none"
        raise UnknownModelError(
            f"could not download model {repo_id!r} ({type(error).__name__}): the Hugging Face hub has no such "
            "public model, "
            f"or there is no network; bundled models, which need none: {bundled_names}"
        ) from error


def _supported_type(name: str, folder: Path) -> str:
    """The checkpoint's `model_type`.

    Raises:
        UnsupportedModelError: it has no adapter.
    """
    config = _read_config(name, folder)
    model_type = config.get("model_type")
    names = ADAPTER_GROUP.names()
    if model_type in names:
        return str(model_type)
    architecture = next(iter(config.get("architectures") or []), None) or model_type or "unnamed"
    raise UnsupportedModelError(f"architecture of {name} must be one of {', '.join(sorted(names))}, got {architecture}")


def _read_config(name: str, folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise UnknownModelError(f"{name} is not a model in Hugging Face format: it has no config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnsupportedModelError(f"{path} is not JSON: {error}") from error
    return config if isinstance(config, dict) else {}


def _check_fits(
    name: str, shape: "ModelShape", device: "torch.device", dtype: "torch.dtype", quantization: str | None
) -> None:
    """Compare the computed footprint with free memory, before reading any weight.

    Raises:
        ModelTooBigError: the model needs more.
    """
    from keepsight.models.footprint import describe_footprint
    from keepsight.models.free_memory import free_memory_bytes

    needed = describe_footprint(shape, dtype.itemsize, quantization=quantization).total_bytes
    free = free_memory_bytes(device)
    if free is not None and needed > free:
        raise ModelTooBigError(
            f"{name} needs about {needed / 1e9:.1f} GB in {str(dtype).removeprefix('torch.')}, "
            f"but {device} has {free / 1e9:.1f} GB free; try --quantization int8 or a smaller model"
        )
