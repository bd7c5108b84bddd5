"""Free memory of a device and of the host, within the limits of containers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil
import torch

PROCESS = Path("/proc/self")
"""Where Linux lists the process' control groups and their mounts."""


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
    within = [group.free_bytes for group in control_groups(process)]
    return max(0, min([int(psutil.virtual_memory().available), *(free for free in within if free is not None)]))


@dataclass(frozen=True)
class ControlGroup:
    """A memory control group of Linux, version 1 or 2 (kernel documentation, `cgroup-v1/memory` and `cgroup-v2`).

    Attributes:
        folder: its files.
        version: 1 or 2.
    """

    folder: Path
    version: int

    @property
    def free_bytes(self) -> int | None:
        """Bytes until its limit, with cached file pages counted as free since the kernel drops them first; None without
        a limit."""
        limits = ("memory.max", "memory.high") if self.version == 2 else ("memory.limit_in_bytes",)
        found = [limit for name in limits if (limit := self._number(name)) is not None]
        used = self._number("memory.current" if self.version == 2 else "memory.usage_in_bytes")
        if not found or used is None:
            return None
        return max(0, min(found) - max(0, used - self._cached_bytes()))

    def _cached_bytes(self) -> int:
        prefix = "total_" if self.version == 1 else ""  # version 2 counts the groups below anyway
        wanted = {f"{prefix}inactive_file", f"{prefix}active_file"}
        pairs = (line.split() for line in _lines(self.folder / "memory.stat"))
        return sum(int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in wanted)

    def _number(self, name: str) -> int | None:
        text = next(iter(_lines(self.folder / name)), "")
        return int(text) if text.isdecimal() else None  # "max" is no limit


def control_groups(process: Path = PROCESS) -> Iterator[ControlGroup]:
    """Memory control groups of a process, from its own up to the outermost that is mounted; none outside Linux."""
    paths = dict(_group_paths(process))
    for root, mount_point, version in _mounts(process):
        if version not in paths:
            continue
        path = paths[version]
        # A container sees its own group as the root of the mount; the path may still be that of the host.
        inside = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
        folder = mount_point / inside
        if ".." in inside.parts or not folder.is_dir():
            folder = mount_point
        yield ControlGroup(folder, version)
        while folder != mount_point:
            folder = folder.parent
            yield ControlGroup(folder, version)


def _group_paths(process: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """Version and path of the groups that limit memory: lines `0::/path` and `4:memory:/path` of proc(5)."""
    for line in _lines(process / "cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield 2, PurePosixPath(path)
        elif "memory" in controllers.split(","):
            yield 1, PurePosixPath(path)


def _mounts(process: Path) -> Iterator[tuple[PurePosixPath, Path, int]]:
    """Root, mount point and version of the mounts that have memory groups, from proc(5)'s `mountinfo`."""
    for line in _lines(process / "mountinfo"):
        mount, _, file_system = line.partition(" - ")
        fields, kinds = mount.split(), file_system.split()
        if len(fields) < 5 or not kinds:
            continue
        if kinds[0] == "cgroup2":
            yield PurePosixPath(fields[3]), Path(fields[4]), 2
        elif kinds[0] == "cgroup" and "memory" in kinds[-1].split(","):
            yield PurePosixPath(fields[3]), Path(fields[4]), 1


def _lines(path: Path) -> list[str]:
    """Lines of a file; none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
