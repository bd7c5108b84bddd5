"""Which decoder layers make the scores."""

from typing import Literal

from keepsight.errors import SettingError

REFERENCE_LAYERS = (5, 9, 14, 20)
"""The paper's layers, 1-based, of a model of `REFERENCE_DEPTH` layers (arXiv 2510.17364, section 4)."""

REFERENCE_DEPTH = 28


def scale_layers(num_layers: int) -> tuple[int, ...]:
    """The paper's layers at the same relative depth in a model of another depth: 1-based, ascending, no repeats.

    A model of 28 layers has the paper's own [5, 9, 14, 20]; a very shallow one has fewer than four.

    Raises:
        SettingError: the model has no layer.
    """
    if num_layers < 1:
        raise SettingError(f"num_layers is {num_layers}; allowed are 1 and more")
    scaled = {max(1, round(layer * num_layers / REFERENCE_DEPTH)) for layer in REFERENCE_LAYERS}
    return tuple(sorted(scaled))


def resolve_layers(
    layers: tuple[int, ...] | Literal["all"] | None, own: tuple[int, ...], num_layers: int
) -> tuple[int, ...]:
    """The layers that a rule of scoring means: the model's own for None, every one for `all`.

    Raises:
        SettingError: as for `check_layers`.
    """
    if layers is None:
        return own
    return tuple(range(1, num_layers + 1)) if layers == "all" else check_layers(layers, num_layers)


def check_layers(layers: tuple[int, ...], num_layers: int) -> tuple[int, ...]:
    """The layers, ascending.

    Raises:
        SettingError: there is none, one is named twice, or one lies outside 1..num_layers.
    """
    within = all(1 <= layer <= num_layers for layer in layers)
    if not layers or len(set(layers)) != len(layers) or not within:
        raise SettingError(f"score_layers is {list(layers)}; allowed are distinct layers from 1 to {num_layers}")
    return tuple(sorted(layers))
