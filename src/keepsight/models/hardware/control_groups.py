"""Control groups of Linux, where containers have their limits (kernel documentation, `cgroup-v1` and `cgroup-v2`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PROCESS = Path("/proc/self")
"""Where Linux lists the process' control groups and their mounts."""


@dataclass(frozen=True)
class ControlGroup:
    """A control group, version 1 or 2.

    Attributes:
        folder: its files.
        version: 1 or 2.
    """

    folder: Path
    version: int

    def lines(self, name: str) -> list[str]:
        """Lines of one of its files; none if it cannot be read."""
        return _lines(self.folder / name)

    def words(self, name: str) -> list[str]:
        """Words of the first line of one of its files."""
        return next(iter(self.lines(name)), "").split()

    def number(self, name: str) -> int | None:
        """Number in one of its files; None for a word, such as `max` for no limit, and for a negative one."""
        words = self.words(name)
        return int(words[0]) if words and words[0].isdecimal() else None


def control_groups(controller: str, process: Path = PROCESS) -> Iterator[ControlGroup]:
    """Control groups of a process, from its own up to the outermost that is mounted; none outside Linux.

    Args:
        controller: what the groups limit, such as `memory` or `cpu`.
        process: folder of the process in `/proc`; missing outside Linux.
    """
    paths = dict(_group_paths(controller, process))
    for root, mount_point, version in _mounts(controller, process):
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


def _group_paths(controller: str, process: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """Version and path of the process' groups: lines `0::/path` and `4:memory:/path` of proc(5)."""
    for line in _lines(process / "cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield 2, PurePosixPath(path)
        elif controller in controllers.split(","):
            yield 1, PurePosixPath(path)


def _mounts(controller: str, process: Path) -> Iterator[tuple[PurePosixPath, Path, int]]:
    """Root, mount point and version of the mounts that have such groups, from proc(5)'s `mountinfo`."""
    for line in _lines(process / "mountinfo"):
        mount, _, file_system = line.partition(" - ")
        fields, kinds = mount.split(), file_system.split()
        if len(fields) < 5 or not kinds:
            continue
        if kinds[0] == "cgroup2":
            yield PurePosixPath(fields[3]), Path(fields[4]), 2
        elif kinds[0] == "cgroup" and controller in kinds[-1].split(","):
            yield PurePosixPath(fields[3]), Path(fields[4]), 1


def _lines(path: Path) -> list[str]:
    """Lines of a file; none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
