"""How a checkpoint is loaded: adapter, number format and devices, settled before any weight is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from keepsight.errors import ModelError, UnknownModelError, UnsupportedModelError
from keepsight.incoming import did_you_mean
from keepsight.models.checkpoint import load_config
from keepsight.models.config_ranges import check_ranges
from keepsight.models.fitting import Need, check_fits
from keepsight.models.footprint import ModelShape
from keepsight.models.hardware.number_formats import choose_dtype, has_bfloat16, published_dtype
from keepsight.models.huggingface.names import known_ids
from keepsight.models.json_files import REMEDY, read_object
from keepsight.models.load_options import LoadOptions, LoadRequest
from keepsight.models.naming import fingerprint_of
from keepsight.models.published_files import check_config, check_generation_config
from keepsight.models.registry import ADAPTER_GROUP, AdapterClass, adapter_class, settings_for
from keepsight.models.split_plan import SplitNeed, check_split_fits

_UNBUILDABLE = (ArithmeticError, LookupError, AssertionError)
"""What transformers raises when it cannot build a model from a configuration."""


@dataclass(frozen=True, eq=False)
class LoadPlan:
    """A checkpoint that is supported and fits into memory.

    Attributes:
        adapter: class of its adapter.
        device: device of the weights; the first of several.
        dtype: type of the weights.
        layer_devices: device of each decoder layer; empty for all on `device`.
    """

    adapter: AdapterClass
    device: torch.device
    dtype: torch.dtype
    layer_devices: tuple[torch.device, ...] = ()

    @classmethod
    def of(cls, folder: Path, devices: Sequence[torch.device], request: LoadRequest) -> Self:
        """Plan for a folder whose weights may be missing yet.

        Args:
            folder: holds the checkpoint's JSON files.
            devices: devices to use, at least one.
            request: what the user asked for.

        Raises:
            UnsupportedModelError: the architecture has no adapter, or the weights are quantized.
            ModelTooBigError: not enough free memory.
            ModelError: a JSON file is damaged.
            SettingError: dtype, quantization or tokens_per_frame are not possible.
        """
        model_type = supported_type(request.model, folder)
        adapter = adapter_class(model_type)
        config = load_config(folder)
        check_ranges(folder, config)
        shape = _shape(adapter, config, folder, request.tokens_per_frame)
        published = published_dtype(folder)
        dtype = choose_dtype(
            request.dtype,
            next((one for one in devices if not has_bfloat16(one)), devices[0]),
            published=published,
            num_parameters=shape.num_parameters,
            overflows_float16=adapter.overflows_float16,
        )
        need = Need.of(adapter, shape, devices[0], published)
        if len(devices) == 1:
            check_fits(need, request.model, model_type, dtype, request.quantization)
            return cls(adapter, devices[0], dtype)
        wanted = SplitNeed.of(need, adapter, config, devices)
        split = check_split_fits(wanted, request.model, dtype, request.quantization)
        return cls(adapter, devices[0], dtype, split.layer_devices)

    def options(self, folder: Path, checkpoint: str, request: LoadRequest) -> LoadOptions:
        """Options for the adapter.

        Args:
            folder: the checkpoint with its weights.
            checkpoint: what the model's name stands for, see `LoadOptions`.
            request: what the user asked for.
        """
        return LoadOptions(
            name=request.model,
            checkpoint=checkpoint,
            device=self.device,
            dtype=self.dtype,
            score_layers=request.score_layers,
            quantization=request.quantization,
            tokens_per_frame=request.tokens_per_frame,
            repetition_penalty=request.repetition_penalty,
            compile_passes=request.compile_passes,
            layer_devices=self.layer_devices,
            fingerprint=fingerprint_of(folder),
        )


def supported_type(name: str, folder: Path) -> str:
    """The checkpoint's `model_type`, after a check of its JSON files.

    Args:
        name: the model's name, as the user wrote it.
        folder: the checkpoint's.

    Raises:
        UnknownModelError: there is no config.json.
        UnsupportedModelError: it has no adapter, or the weights are quantized.
        ModelError: see `check_config` and `check_generation_config`.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise UnknownModelError(f"{name} is not a model in Hugging Face format: it has no config.json")
    config = read_object(path)
    model_type = config.get("model_type")
    names = ADAPTER_GROUP.names()
    if model_type in names:
        check_config(name, path, config)
        check_generation_config(folder / "generation_config.json")
        return str(model_type)
    listed = config.get("architectures")
    architecture = (listed[0] if isinstance(listed, list) and listed else None) or model_type or "unnamed"
    raise UnsupportedModelError(
        f"architecture of {name} must be one of {', '.join(sorted(names))}, got {architecture}"
        f"{did_you_mean(name, known_ids())}"
    )


def _shape(adapter: AdapterClass, config: Any, folder: Path, tokens_per_frame: int | None) -> ModelShape:
    settings = settings_for(adapter, folder, tokens_per_frame)
    try:
        with ADAPTER_GROUP.calling(adapter, "shape", expected=_UNBUILDABLE):
            return adapter.shape(config, settings)
    except _UNBUILDABLE as error:
        raise ModelError(
            f"{folder / 'config.json'} does not describe a model ({type(error).__name__}: {error}); {REMEDY}"
        ) from error
