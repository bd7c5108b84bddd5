"""Weights from files to where they work, one tensor at a time.

safetensors maps files into memory. A weight in the wanted number format is a view of its file, takes no memory of the
process, and is copied straight to a GPU. Casting on the CPU takes the wanted bytes. For another device, or for
quantisation, casting everything first would take all of the wanted bytes on the host; so the weights are mapped in the
stored format, and each is cast where it arrives.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from keepsight.models.checkpoint import StoredWeights, load_skeleton, load_weights
from keepsight.models.load_options import LoadOptions
from keepsight.models.quantization import check_widths, quantize_decoder


@dataclass(frozen=True, eq=False)
class MappedModel:
    """A model whose weights are still where they were read.

    Attributes:
        source: model with the weights, in the stored format; its weights are given away by `place`.
        target: the same model, or one in the wanted format whose weights are placeholders without memory.
    """

    source: Any
    target: Any

    @classmethod
    def open(cls, model_class: type[PreTrainedModel], folder: Path, options: LoadOptions) -> "MappedModel":
        """Map a checkpoint's files.

        Raises:
            ModelError: the safetensors files are missing, damaged or incomplete.
        """
        stored = None if options.device.type == "cpu" and options.quantization is None else StoredWeights.of(folder)
        if stored is None or stored.only_dtype in (None, options.dtype):
            model = load_weights(model_class, folder, options.dtype)
            return cls(model, model)
        source = load_weights(model_class, folder, stored.only_dtype)
        return cls(source, load_skeleton(source, stored, options.dtype))

    @property
    def num_parameters(self) -> int:
        """Number of weights, each counted once if it is tied."""
        return sum(parameter.numel() for parameter in self.source.parameters())

    def place(self, options: LoadOptions, device_of: Callable[[str], torch.device] | None = None) -> Any:
        """Move every weight to its device in its format, quantise the decoder, and return the model.

        Args:
            options: device and quantisation.
            device_of: device of a module by its name; None for the one device of the options.

        Raises:
            SettingError: the decoder cannot be quantised so.
        """
        where = device_of or (lambda _: options.device)
        linears = set(_linears(self.target.get_decoder())) if options.quantization is not None else set()
        if options.quantization is not None:
            check_widths(linears, options.quantization)
        move = _Mover(self.source)
        persistent = set(self.target.state_dict())
        for path, module in self.target.named_modules():
            source, device = self.source.get_submodule(path), where(path)
            for name, wanted in list(module.named_parameters(recurse=False)):
                setattr(module, name, move.parameter(source, name, device, wanted.dtype))
            for name, wanted in list(module.named_buffers(recurse=False)):
                is_stored = (f"{path}.{name}" if path else name) in persistent
                origin = getattr(source, name) if is_stored else wanted
                setattr(module, name, origin.to(device=device, dtype=wanted.dtype))
            if module in linears and options.quantization is not None:
                quantize_decoder(module, options.quantization, device)
        return self.target


def host_bytes_while_loading(stored: StoredWeights, dtype: torch.dtype) -> int:
    """Memory of the host that loading takes on the way to another device.

    Mapped files do not count, since the kernel drops their pages when memory is short. A weight is copied once in the
    stored format, by the driver of the device. Where weights are stored in several formats, all those in another than
    the wanted one are cast on the host.

    Args:
        stored: the checkpoint's weights.
        dtype: wanted format.
    """
    widest = max(one.itemsize for one in (dtype, *stored.dtypes.values()) if one is not None)
    largest = widest * max((stored.num_values(name) for name in stored.shapes), default=0)
    if stored.only_dtype is not None:
        return largest
    return largest + sum(
        stored.num_values(name) * dtype.itemsize for name, own in stored.dtypes.items() if own != dtype
    )


class _Mover:
    """Moves parameters, tied ones once; a moved parameter leaves its source, so that its memory is released."""

    def __init__(self, source: nn.Module) -> None:
        uses = Counter(id(one) for module in source.modules() for one in module.parameters(recurse=False))
        tied = (one for one in source.parameters() if uses[id(one)] > 1)
        self._tied = {id(one): one for one in tied}  # held, so that no other gets its id
        self._moved: dict[tuple[int, torch.device], nn.Parameter] = {}

    def parameter(self, module: nn.Module, name: str, device: torch.device, dtype: torch.dtype) -> nn.Parameter:
        """A parameter on its device."""
        old: nn.Parameter = getattr(module, name)
        key = id(old), device
        new = self._moved.get(key)
        if new is None:
            # On the device first: the host never holds a cast copy.
            new = nn.Parameter(old.detach().to(device).to(dtype), requires_grad=False)
        if id(old) in self._tied:
            self._moved[key] = new
        setattr(module, name, None)
        return new


def _linears(module: nn.Module) -> list[nn.Linear]:
    return [one for one in module.modules() if isinstance(one, nn.Linear)]
