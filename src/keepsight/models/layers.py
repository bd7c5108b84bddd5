"""Decoder layers whose attention scores tokens."""

from collections.abc import Sequence
from typing import Any, Literal

from keepsight.errors import ModelError, SettingError

REFERENCE_LAYERS = (5, 9, 14, 20)
"""The paper's layers, 1-based, of a model of `REFERENCE_DEPTH` layers (arXiv 2510.17364, section 4)."""

REFERENCE_DEPTH = 28


def whole_layers(text_config: Any) -> tuple[int, ...]:
    """Decoder layers, 1-based, with full attention: all but those with a sliding window or linear attention.

    Raises:
        ModelError: there is none.
    """
    only = "sliding_attention" if getattr(text_config, "sliding_window", None) else "full_attention"
    kinds = getattr(text_config, "layer_types", None) or [only] * text_config.num_hidden_layers
    layers = tuple(index + 1 for index, kind in enumerate(kinds) if kind == "full_attention")
    if not layers:
        raise ModelError("no decoder layer has full attention, and scores need one")
    return layers


def scale_layers(num_layers: int, possible: Sequence[int] = ()) -> tuple[int, ...]:
    """The paper's layers at the same relative depth in a model of another depth: 1-based, ascending, unique.

    A 28-layer model has the paper's own [5, 9, 14, 20]; a very shallow one has fewer than four.

    Args:
        num_layers: depth of the model.
        possible: layers that can score, of which the nearest are taken; empty for all.

    Raises:
        SettingError: the model has no layer.
    """
    if num_layers < 1:
        raise SettingError(f"num_layers must be at least 1, got {num_layers}")
    choice = possible or range(1, num_layers + 1)
    scaled = [round(layer * num_layers / REFERENCE_DEPTH) for layer in REFERENCE_LAYERS]
    return tuple(sorted({min(choice, key=lambda layer: abs(layer - wanted)) for wanted in scaled}))


def resolve_layers(
    layers: tuple[int, ...] | Literal["all"] | None, own: tuple[int, ...], possible: Sequence[int]
) -> tuple[int, ...]:
    """Layers of a scoring rule: the model's own for None, all possible ones for `all`.

    Raises:
        SettingError: as for `check_layers`.
    """
    if layers is None:
        return own
    return tuple(possible) if layers == "all" else check_layers(layers, possible)


def check_layers(layers: tuple[int, ...], possible: Sequence[int]) -> tuple[int, ...]:
    """Check layers and return them in ascending order.

    Args:
        layers: 1-based.
        possible: layers that can score, ascending.

    Raises:
        SettingError: there is none, a duplicate, or an impossible one.
    """
    if not layers or len(set(layers)) != len(layers) or not set(layers) <= set(possible):
        gapless = len(possible) == possible[-1]
        among = f"from 1 to {possible[-1]}" if gapless else f"out of {list(possible)}, which have full attention"
        raise SettingError(f"score_layers must be distinct layers {among}, got {list(layers)}")
    return tuple(sorted(layers))
