"""Number format of a model's weights: the user's, or one that fits the checkpoint and the hardware."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.models.json_files import read_object
from keepsight.models.load_options import LARGE_MODEL_PARAMETERS

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""Number formats by name."""

_SAFETENSORS_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def choose_dtype(
    dtype: str | None,
    device: torch.device,
    *,
    published: torch.dtype | None = None,
    num_parameters: int = 0,
    overflows_float16: bool = False,
) -> torch.dtype:
    """Number format by name; None for the one that `default_dtype` chooses on this hardware.

    Args:
        dtype: requested format.
        device: device of the model.
        published: format of the checkpoint; None if unknown.
        num_parameters: number of weights.
        overflows_float16: whether the model's numbers overflow float16.

    Raises:
        SettingError: the name is not one of `DTYPES`, or the model cannot run in it.
    """
    if dtype is None:
        return default_dtype(
            device.type,
            has_bfloat16=has_bfloat16(device),
            published=published,
            num_parameters=num_parameters,
            overflows_float16=overflows_float16,
        )
    if overflows_float16 and dtype == "float16":
        raise SettingError("dtype must be one of float32, bfloat16 for a model that overflows float16, got 'float16'")
    if dtype not in DTYPES:
        raise SettingError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}{did_you_mean(dtype, DTYPES)}")
    return DTYPES[dtype]


def default_dtype(
    device_type: str,
    *,
    has_bfloat16: bool,
    published: torch.dtype | None,
    num_parameters: int,
    overflows_float16: bool,
) -> torch.dtype:
    """Number format for a checkpoint on some hardware.

    A CPU runs float32, and large models in bfloat16 if it multiplies that. Another device runs float16 checkpoints as
    they are, and all others in bfloat16; without bfloat16 in float32, as float16 might overflow.

    Args:
        device_type: `cpu`, `cuda` or `mps`.
        has_bfloat16: whether the device multiplies bfloat16.
        published: format of the checkpoint; None if unknown.
        num_parameters: number of weights.
        overflows_float16: whether the model's numbers overflow float16.
    """
    if device_type == "cpu":
        return torch.bfloat16 if has_bfloat16 and num_parameters >= LARGE_MODEL_PARAMETERS else torch.float32
    if published == torch.float16 and not overflows_float16:
        return torch.float16
    return torch.bfloat16 if has_bfloat16 else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 itself, instead of converting it.

    GPUs of NVIDIA from compute capability 8.0 and those of AMD do, Apple's from macOS 14, and CPUs with AVX512-BF16 or
    AMX. Where torch cannot tell, and for other CPUs, which were not measured, the answer is no.
    """
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "mps":
        return torch.backends.mps.is_macos_or_newer(14, 0)
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.8 has none
    can_multiply = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return can_multiply and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def sums_apart(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a product of matrices is summed in a float32 copy of its whole output before that is rounded.

    oneDNN does so in bfloat16 on CPUs with AVX-512 but without AVX512-BF16 and AMX (`gemm:jit:bf16` in the lines that
    `ONEDNN_VERBOSE=1` prints). With those instructions it sums a tile at a time, and without AVX-512 torch does not use
    it.
    """
    if device.type != "cpu" or dtype != torch.bfloat16 or has_bfloat16(device):
        return False
    uses_onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return uses_onednn and torch.backends.cpu.get_cpu_capability() == "AVX512"


def published_dtype(folder: Path) -> torch.dtype | None:
    """Number format of a checkpoint: of its configuration, else of most weights in its first file; None if unknown.

    Args:
        folder: holds config.json, and the weights if they are downloaded.
    """
    config = read_object(folder / "config.json")
    for part in (config, config.get("text_config")):
        if isinstance(part, dict):
            name = part.get("dtype") or part.get("torch_dtype")
            if name is not None:
                return DTYPES.get(str(name).removeprefix("torch."))
    return _dtype_of_weights(folder)


def _dtype_of_weights(folder: Path) -> torch.dtype | None:
    first = min(folder.glob("*.safetensors"), default=None)
    if first is None:
        return None
    num_weights: dict[str, int] = {}
    try:
        with safe_open(first, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                tensor = file.get_slice(name)
                kind, size = tensor.get_dtype(), 1
                for length in tensor.get_shape():
                    size *= length
                num_weights[kind] = num_weights.get(kind, 0) + size
    except (OSError, SafetensorError):
        return None  # loading it says what is wrong
    most = max(num_weights, key=lambda kind: num_weights[kind], default="")
    return _SAFETENSORS_DTYPES.get(most)
