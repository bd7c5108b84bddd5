"""Which of a clip's visual tokens enter the memory (paper, section 3, arXiv 2510.17364).

One selector family a file. A new selector is a frozen dataclass with a `select` method and a line in `SELECTORS`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from keepsight.errors import SettingError
from keepsight.selection.attention import AttentionTopK
from keepsight.selection.averaging import MeanPool
from keepsight.selection.base import DEFAULT_RETENTION, Selected, Selector, count_kept
from keepsight.selection.blind import KeepAll, Random, Uniform
from keepsight.selection.clustering import KMeans

SELECTORS: Final[Mapping[str, type[Selector]]] = MappingProxyType(
    {
        "attention": AttentionTopK,
        "uniform": Uniform,
        "random": Random,
        "k-means": KMeans,
        "mean-pool": MeanPool,
        "all": KeepAll,
    }
)
"""Every selector by the name that the command line and the benchmarks use; the first is the default."""


def make_selector(name: str = "attention", *, retention: float = DEFAULT_RETENTION, seed: int = 0) -> Selector:
    """A selector by name; a setting that it does not have (`seed` of `uniform`, any of `all`) is checked and unused.

    Raises:
        SettingError: no selector has this name, or the retention is outside (0, 1].
    """
    if name not in SELECTORS:
        raise SettingError(f"selector is one of {', '.join(SELECTORS)}, not {name!r}")
    count_kept(1, retention)
    factory: Callable[..., Selector] = SELECTORS[name]
    fields = {field.name for field in dataclasses.fields(factory)}  # type: ignore[arg-type]
    settings = {"retention": retention, "seed": seed}
    return factory(**{key: value for key, value in settings.items() if key in fields})


__all__ = [
    "DEFAULT_RETENTION",
    "SELECTORS",
    "AttentionTopK",
    "KMeans",
    "KeepAll",
    "MeanPool",
    "Random",
    "Selected",
    "Selector",
    "Uniform",
    "count_kept",
    "make_selector",
]
