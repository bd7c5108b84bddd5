"""Free memory of a device and of the host, within the limits of containers."""

from pathlib import Path

import psutil
import torch

from keepsight.models.hardware.control_groups import PROCESS, ControlGroup, control_groups


def free_memory_bytes(device: torch.device) -> int | None:
    """Free memory of a device; None if unknown.

    On Apple's GPUs, whose memory is the host's, it is the smaller of what Metal recommends and what the host has free.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        recommended = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, min(recommended, host_free_bytes()))
    return host_free_bytes() if device.type == "cpu" else None


def host_free_bytes(process: Path = PROCESS) -> int:
    """Memory that this process can allocate without swapping: the system's, or less under a container's limit.

    Args:
        process: folder of the process in `/proc`; missing outside Linux.
    """
    within = [_free_bytes(group) for group in control_groups("memory", process)]
    return max(0, min([int(psutil.virtual_memory().available), *(free for free in within if free is not None)]))


def _free_bytes(group: ControlGroup) -> int | None:
    """Bytes until a group's limit, with cached file pages counted as free since the kernel drops them first; None
    without a limit."""
    limits = ("memory.max", "memory.high") if group.version == 2 else ("memory.limit_in_bytes",)
    found = [limit for name in limits if (limit := group.number(name)) is not None]
    used = group.number("memory.current" if group.version == 2 else "memory.usage_in_bytes")
    if not found or used is None:
        return None
    return max(0, min(found) - max(0, used - _cached_bytes(group)))


def _cached_bytes(group: ControlGroup) -> int:
    prefix = "total_" if group.version == 1 else ""  # version 2 counts the groups below anyway
    wanted = {f"{prefix}inactive_file", f"{prefix}active_file"}
    pairs = (line.split() for line in group.lines("memory.stat"))
    return sum(int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in wanted)
