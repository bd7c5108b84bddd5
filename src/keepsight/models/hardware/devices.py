"""Devices and threads of a model."""

import os

import torch

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.models.hardware.usable_cpus import usable_cpus

SMALL_MODEL_PARAMETERS = 50_000_000
"""On two AVX2 cores one thread was faster with 44 million weights (`benchmarks/threads.py`), not with 183."""


def choose_devices(device: str | None) -> tuple[torch.device, ...]:
    """Devices by name: several CUDA devices separated by commas, or `all` of them; else the one of `choose_device`.

    Raises:
        SettingError: no such device, a device is named twice, or one of several is not a CUDA device.
    """
    num_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "all" and num_cuda:
        return tuple(torch.device(f"cuda:{number}") for number in range(num_cuda))
    if device is None or "," not in device:
        return (_choose_one(device),)
    chosen = tuple(_choose_one(name.strip()) for name in device.split(","))
    if len(set(chosen)) < len(chosen) or any(one.type != "cuda" for one in chosen):
        raise SettingError(f"device must be different CUDA devices where it is several, got {device!r}")
    return chosen


def choose_device(device: str | None) -> torch.device:
    """The first device of `choose_devices`.

    Raises:
        SettingError: as for `choose_devices`.
    """
    return choose_devices(device)[0]


def _choose_one(device: str | None) -> torch.device:
    """Device by name; None or `auto` for the first CUDA device, else Apple's GPU, else the CPU.

    Raises:
        SettingError: no such device.
    """
    num_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [*(f"cuda:{number}" for number in range(num_cuda)), *(["mps"] if torch.backends.mps.is_available() else [])]
    if device in (None, "auto"):
        return torch.device(next(iter([*found, "cpu"])))
    if device in ("cpu", *found) or (device == "cuda" and num_cuda):
        return torch.device("cuda:0" if device == "cuda" else str(device))
    allowed = ["auto", "cpu", *found]
    hint = _why_no_cuda() if str(device).startswith("cuda") and not num_cuda else did_you_mean(device, allowed)
    raise SettingError(f"device must be one of {', '.join(allowed)} on this machine, got {device!r}{hint}")


def _why_no_cuda() -> str:
    """Why torch finds no CUDA device, to end an error with."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"; torch {torch.__version__} is a build without CUDA: install one with it (https://pytorch.org)"
    return "; torch finds no GPU: check its driver, with nvidia-smi or rocminfo"


def settle_threads(device: torch.device | str, num_parameters: int) -> int:
    """Set torch's thread count for this process, and return it.

    A model below `SMALL_MODEL_PARAMETERS` runs on one thread: distributing its small products costs more than it saves
    (`benchmarks/threads.py`), and the next clip is decoded and encoded on another core meanwhile. A larger one on the
    CPU keeps torch's own number, one per physical core, within a container's limit, which torch does not know. A user's
    `OMP_NUM_THREADS` is respected.

    Args:
        device: the model's device, or the names of several.
        num_parameters: number of weights.
    """
    if str(device).startswith("cpu") and "OMP_NUM_THREADS" not in os.environ:
        most = 1 if num_parameters < SMALL_MODEL_PARAMETERS else usable_cpus()
        torch.set_num_threads(min(torch.get_num_threads(), most))
    return torch.get_num_threads()
