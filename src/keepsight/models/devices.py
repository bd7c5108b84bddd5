"""Device, number format and threads of a model."""

import os

import torch

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""Number formats by name."""

SMALL_MODEL_PARAMETERS = 50_000_000
"""On two AVX2 cores one thread was faster with 44 million weights (`benchmarks/threads.py`), not with 183."""


def choose_device(device: str | None) -> torch.device:
    """Device by name; None or `auto` for the first CUDA device, else the CPU.

    Raises:
        SettingError: no such device.
    """
    has_cuda = torch.cuda.is_available()
    if device in (None, "auto"):
        return torch.device("cuda:0" if has_cuda else "cpu")
    kind, _, index = str(device).partition(":")
    if device == "cpu":
        return torch.device("cpu")
    if kind == "cuda" and has_cuda and int(index or 0) < torch.cuda.device_count():
        return torch.device(f"cuda:{int(index or 0)}")
    allowed = ["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    near = did_you_mean(device, allowed)
    raise SettingError(f"device must be one of {', '.join(allowed)} on this machine, got {device!r}{near}")


def choose_dtype(dtype: str | None, device: torch.device, *, without_float16: bool = False) -> torch.dtype:
    """Number format by name; None for float32 on the CPU and float16, the paper's, on CUDA.

    Args:
        dtype: requested format.
        device: device of the model.
        without_float16: for models that overflow float16; bfloat16 is used instead.

    Raises:
        SettingError: the name is not one of `DTYPES`, or the model cannot run in it.
    """
    possible = {name: value for name, value in DTYPES.items() if not (without_float16 and name == "float16")}
    if dtype is None:
        return torch.float32 if device.type == "cpu" else possible.get("float16", torch.bfloat16)
    if dtype not in possible:
        near = did_you_mean(dtype, possible)
        raise SettingError(f"dtype must be one of {', '.join(possible)}, got {dtype!r}{near}")
    return possible[dtype]


def settle_threads(device: torch.device | str, num_parameters: int) -> int:
    """Set torch's thread count for this process, and return it.

    A model below `SMALL_MODEL_PARAMETERS` runs on one thread: distributing its small products costs more than it saves
    (`benchmarks/threads.py`), and the next clip is decoded and encoded on another core meanwhile. A user's
    `OMP_NUM_THREADS` is respected.
    """
    is_small = torch.device(device).type == "cpu" and num_parameters < SMALL_MODEL_PARAMETERS
    if is_small and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    return torch.get_num_threads()
