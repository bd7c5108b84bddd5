"""Wall time, CPU time and peak memory of a piece of work, on the CPU and on CUDA."""

import ctypes
import gc
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """What a piece of work cost; filled in when it is over.

    Attributes:
        wall_seconds: until the device had finished, too.
        cpu_seconds: of all threads of this process.
        before_bytes: memory in use before it: of the device under CUDA, of this process on the CPU.
        rise_bytes: how far memory rose above that.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    before_bytes: int = 0
    rise_bytes: int = 0


def synchronize(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def now(device: str) -> float:
    """`time.perf_counter()` once the device has finished."""
    synchronize(device)
    return time.perf_counter()


@contextmanager
def measured(device: str) -> Iterator[Cost]:
    """Measure what happens inside the block."""
    cost = Cost()
    release(device)
    _reset_peak(device)
    cost.before_bytes = used_bytes(device)
    wall, cpu = now(device), time.process_time()
    yield cost
    cost.wall_seconds = now(device) - wall
    cost.cpu_seconds = time.process_time() - cpu
    cost.rise_bytes = max(0, peak_bytes(device) - cost.before_bytes)


def used_bytes(device: str) -> int:
    """Memory in use now: allocated by torch under CUDA, resident on the CPU."""
    if device.startswith("cuda"):
        return int(torch.cuda.memory_allocated(device))
    return _status_bytes("VmRSS")


def peak_bytes(device: str) -> int:
    """Most memory in use since the block of `measured` began; without Linux's counters, since the process began."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    return _status_bytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def release(device: str) -> None:
    """Give memory that was freed back to the system, so that it counts for nobody."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif _STATUS.is_file():
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)


def count_exactly() -> None:
    """From now on give blocks of 64 kB and more back once they are freed: peaks are then those of what is alive.

    glibc keeps freed blocks for later otherwise, in amounts that differ from run to run. It is slower so, and there is
    no way back: measure time first. On CUDA nothing changes, since allocated memory is counted there anyway.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 16)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 16)


def _reset_peak(device: str) -> None:
    """Reset the peak."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    elif _CLEAR.is_file():
        _CLEAR.write_text("5")  # proc(5): resets the peak resident size to the present one


def _status_bytes(name: str) -> int:
    """A line of Linux's `/proc/self/status`, which counts in KiB; 0 elsewhere."""
    lines = _STATUS.read_text(encoding="ascii").splitlines() if _STATUS.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
