"""Entry points of installed packages, and the package of a class; imports nothing."""

import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from typing import Any

GROUPS = (
    "keepsight.selectors",
    "keepsight.retrievers",
    "keepsight.memory_policies",
    "keepsight.architectures",
    "keepsight.bench_methods",
    "keepsight.bench_datasets",
    "keepsight.sources",
)
"""Entry point groups that Keepsight reads."""


@dataclass(frozen=True)
class PlugIn:
    """A part registered by an installed package.

    Attributes:
        entry_point: its name, and location as `module:attribute`.
        distribution: name version of the package.
        version: of the package.
    """

    entry_point: EntryPoint
    distribution: str
    version: str

    @property
    def name(self) -> str:
        """Name of the part."""
        return self.entry_point.name

    @property
    def package(self) -> str:
        """Distribution and version, such as `keepsight-example-plugin 0.1.0`."""
        return f"{self.distribution} {self.version}"


def offered(group: str) -> tuple[PlugIn, ...]:
    """All parts registered in an entry point group, in no particular order."""
    return _offered(group, tuple(sys.path))


def plug_in_versions() -> dict[str, str]:
    """Versions of all installed packages that register a part, by distribution."""
    return {one.distribution: one.version for group in GROUPS for one in offered(group)}


def class_name(part: Any) -> str:
    """Name of a class or function as `module:qualified name`."""
    return f"{part.__module__}:{part.__qualname__}"


def package_of(part: type) -> str:
    """Distribution and version of a class's package; empty if it has none, as in a script."""
    return _package_of_module(part.__module__.partition(".")[0], tuple(sys.path))


@cache
def _offered(group: str, _path: tuple[str, ...]) -> tuple[PlugIn, ...]:
    """Read the metadata of all installed packages, once per `sys.path`; takes about 10 ms."""
    found = ((point, point.dist) for point in entry_points(group=group))
    return tuple(PlugIn(point, dist.name, dist.version) for point, dist in found if dist is not None)


@cache
def _package_of_module(top: str, path: tuple[str, ...]) -> str:
    for one in (one for group in GROUPS for one in _offered(group, path)):
        if one.entry_point.module.partition(".")[0] == top:
            return one.package
    if top == "keepsight":
        return f"keepsight {version('keepsight')}"
    names = sorted(set(packages_distributions().get(top, ())))
    return f"{names[0]} {version(names[0])}" if len(names) == 1 else ""
