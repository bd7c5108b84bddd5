"""A decoder whose layers are on several devices: hooks move a layer's inputs to its device.

Caches need nothing: each layer's keys, values and states are created on the device of its first input.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

import torch
from torch import Tensor, nn

from keepsight.models.load_options import LoadOptions


def device_of_modules(model: Any, options: LoadOptions) -> Callable[[str], torch.device]:
    """Device of a module by its name: a decoder layer's own, else the first.

    Args:
        model: transformers model, with or without its weights.
        options: has the device of each decoder layer; none for all on the first.
    """
    layers = _layers(model, options)
    places = {name: layers[module] for name, module in model.named_modules() if module in layers}

    def device_of(name: str) -> torch.device:
        parts = name.split(".")
        names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return next((places[one] for one in names if one in places), options.device)

    return device_of


def move_inputs(model: Any, options: LoadOptions) -> None:
    """Make each decoder layer and the final norm move their inputs to their device, if there are several.

    Args:
        model: transformers model, on its devices.
        options: has the device of each decoder layer.
    """
    layers = _layers(model, options)
    if not layers:
        return
    for layer, device in [*layers.items(), (model.get_decoder().norm, options.device)]:
        layer.register_forward_pre_hook(_mover_to(device), with_kwargs=True)


def _layers(model: Any, options: LoadOptions) -> dict[nn.Module, torch.device]:
    if not options.layer_devices:
        return {}
    return dict(zip(model.get_decoder().layers, options.layer_devices, strict=True))


def _mover_to(device: torch.device) -> Callable[..., tuple[Any, Any]]:
    def move_arguments(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return _moved(args, device), {name: _moved(value, device) for name, value in kwargs.items()}

    return move_arguments


def _moved(value: Any, device: torch.device) -> Any:
    """A value with all tensors on a device.

    A mapping stays the same object, since layers share keys and values through it (Gemma 4). Later layers are never on
    an earlier device, so that it does not move back.
    """
    if isinstance(value, Tensor):
        return value.to(device)
    if type(value) in (tuple, list):
        return type(value)(_moved(part, device) for part in value)
    if isinstance(value, MutableMapping):
        for key in list(value):
            value[key] = _moved(value[key], device)
    return value
