"""Device and threads of a model."""

import os

import torch

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.models.usable_cpus import usable_cpus

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


def settle_threads(device: torch.device | str, num_parameters: int) -> int:
    """Set torch's thread count for this process, and return it.

    A model below `SMALL_MODEL_PARAMETERS` runs on one thread: distributing its small products costs more than it saves
    (`benchmarks/threads.py`), and the next clip is decoded and encoded on another core meanwhile. A larger one on the
    CPU keeps torch's own number, one per physical core, within a container's limit, which torch does not know. A user's
    `OMP_NUM_THREADS` is respected.
    """
    if torch.device(device).type == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        most = 1 if num_parameters < SMALL_MODEL_PARAMETERS else usable_cpus()
        torch.set_num_threads(min(torch.get_num_threads(), most))
    return torch.get_num_threads()
