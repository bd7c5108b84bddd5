"""Where a model runs, in which number format, and how much memory is free there."""

from pathlib import Path

import torch

from keepsight.errors import SettingError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""Number formats by the name a user gives."""


def choose_device(device: str | None) -> torch.device:
    """The device of that name; None or `auto` is the first CUDA device if there is one, else the CPU.

    Raises:
        SettingError: there is no such device here.
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
    raise SettingError(f"device is {device!r}; allowed here are {', '.join(allowed)}")


def choose_dtype(dtype: str | None, device: torch.device) -> torch.dtype:
    """The number format of that name; None is float32 on the CPU and float16, the paper's, on CUDA.

    Raises:
        SettingError: the name is not one of `DTYPES`.
    """
    if dtype is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    if dtype not in DTYPES:
        raise SettingError(f"dtype is {dtype!r}; allowed are {', '.join(DTYPES)}")
    return DTYPES[dtype]


def free_memory_bytes(device: torch.device) -> int | None:
    """Memory that a new model could take on the device; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return _available_host_bytes(Path("/proc/meminfo"))


def _available_host_bytes(meminfo: Path) -> int | None:
    """`MemAvailable` of a Linux `/proc/meminfo`, which counts in KiB."""
    if not meminfo.is_file():
        return None
    for line in meminfo.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None
