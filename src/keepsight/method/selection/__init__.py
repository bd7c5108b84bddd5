"""Selectors: which of a clip's visual tokens enter the memory (paper, section 3, arXiv 2510.17364).

To add one, write a frozen dataclass with a `select` method and list it in `SELECTORS`, or register a plug-in.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from keepsight.method.selection.base import (
    DEFAULT_RETENTION,
    Retaining,
    Selected,
    Selector,
    check_clip,
    count_kept,
    keep,
)
from keepsight.method.selection.clustering import KMeans
from keepsight.method.selection.selectors import AttentionTopK, KeepAll, MeanPool, Random, Uniform
from keepsight.plugins import Part
from keepsight.settings import PARTS

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
"""Built-in selectors by name; the first is the default."""


def make_selector(name: str | Part = "attention", *, retention: float = DEFAULT_RETENTION, seed: int = 0) -> Selector:
    """Selector by name; settings it does not have (`seed` of `uniform`, any of `all`) are checked and ignored.

    Args:
        name: name of a built-in selector or plug-in; or an object, which is returned unchanged.
        retention: share of visual tokens to keep, in (0, 1].
        seed: seed of random selectors.

    Raises:
        SettingError: no such selector, or the retention is outside (0, 1].
    """
    count_kept(1, retention)
    made: Selector = PARTS["selector"].make(name, SELECTORS, {"retention": retention, "seed": seed})
    return made


__all__ = [
    "DEFAULT_RETENTION",
    "SELECTORS",
    "AttentionTopK",
    "KMeans",
    "KeepAll",
    "MeanPool",
    "Random",
    "Retaining",
    "Selected",
    "Selector",
    "Uniform",
    "check_clip",
    "count_kept",
    "keep",
    "make_selector",
]
