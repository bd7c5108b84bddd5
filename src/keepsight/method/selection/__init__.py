"""Selectors: which of a clip's visual tokens enter the memory (paper, section 3, arXiv 2510.17364).

To add one, write a frozen dataclass with a `select` method and list it in `SELECTORS`, or register a plug-in.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from keepsight.method.selection.base import (
    DEFAULT_RETENTION,
    Retaining,
    Selected,
    Selector,
    check_clip,
    count_kept,
    keep,
    keep_highest,
)
from keepsight.method.selection.clustering import KMeans
from keepsight.method.selection.contrast import Change, Median, Saliency
from keepsight.method.selection.diversity import Diverse
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
        "diverse": Diverse,
        "change": Change,
        "median": Median,
        "saliency": Saliency,
        "all": KeepAll,
    }
)
"""Built-in selectors by name; the first is the default."""


def make_selector(
    name: str | Part = "attention",
    *,
    retention: float = DEFAULT_RETENTION,
    seed: int = 0,
    token_grid: tuple[int, int] | None = None,
) -> Selector:
    """Selector by name; settings it does not have (`seed` of `uniform`, any of `all`) are checked and ignored.

    Args:
        name: name of a built-in selector or plug-in; or an object, of which only a `token_grid` of None is filled.
        retention: share of visual tokens to keep, in (0, 1].
        seed: seed of random selectors.
        token_grid: rows and columns of tokens per step in the clip to select from, if known.

    Raises:
        SettingError: no such selector, or the retention is outside (0, 1].
    """
    count_kept(1, retention)
    filled = {"retention": retention, "seed": seed, "token_grid": token_grid}
    made: Any = PARTS["selector"].make(name, SELECTORS, filled)
    is_open = token_grid is not None and getattr(made, "token_grid", token_grid) is None
    selector: Selector = replace(made, token_grid=token_grid) if is_open else made
    return selector


__all__ = [
    "DEFAULT_RETENTION",
    "SELECTORS",
    "AttentionTopK",
    "Change",
    "Diverse",
    "KMeans",
    "KeepAll",
    "MeanPool",
    "Median",
    "Random",
    "Retaining",
    "Saliency",
    "Selected",
    "Selector",
    "Uniform",
    "check_clip",
    "count_kept",
    "keep",
    "keep_highest",
    "make_selector",
]
