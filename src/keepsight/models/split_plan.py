"""Which layers of a decoder go to which of several devices, by the memory of both.

Vision tower, embeddings, final norm and head go to the first device, where visual tokens and logits are. The layers
follow in their order, each device a run of them, so that a pass crosses from one device to the next once. Of all such
splits, that one is taken whose fullest device is the least full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from keepsight.errors import ModelTooBigError, SettingError
from keepsight.models.checkpoint import quiet_transformers
from keepsight.models.fitting import Need, dtype_name
from keepsight.models.footprint import (
    decoder_activation_bytes,
    default_context_tokens,
    describe_footprint,
    quantized_bits,
)
from keepsight.models.hardware import free_memory


@dataclass(frozen=True)
class DeviceShare:
    """What one device gets.

    Attributes:
        device: the device.
        num_layers: decoder layers.
        num_bytes: memory that it needs, weights and work.
        free_bytes: memory that it has free.
    """

    device: torch.device
    num_layers: int
    num_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class SplitPlan:
    """Devices of a decoder's layers.

    Attributes:
        shares: one per device, in the order of the layers.
    """

    shares: tuple[DeviceShare, ...]

    @property
    def fits(self) -> bool:
        """Whether every device has as much memory free as it needs."""
        return all(share.num_bytes <= share.free_bytes for share in self.shares)

    @property
    def layer_devices(self) -> tuple[torch.device, ...]:
        """Device of each layer."""
        return tuple(share.device for share in self.shares for _ in range(share.num_layers))


@dataclass(frozen=True)
class SplitNeed:
    """A model's memory by layer.

    Attributes:
        need: memory of the whole model; its device is the first one.
        layers: weights of each decoder layer, and how many of them are in linear layers.
        free: free memory in bytes, by device.
    """

    need: Need
    layers: tuple[tuple[int, int], ...]
    free: dict[torch.device, int]

    @classmethod
    def of(cls, need: Need, adapter: Any, config: Any, devices: Sequence[torch.device]) -> "SplitNeed":
        """Memory of a checkpoint; no weight is read.

        Args:
            need: memory of the whole model.
            adapter: class of its adapter.
            config: transformers configuration.
            devices: at least two.

        Raises:
            SettingError: the adapter has no `model_class` whose decoder has layers.
        """
        model_class = getattr(adapter, "model_class", None)
        if model_class is None:
            names = ", ".join(map(str, devices))
            raise SettingError(f"must be one device for {adapter.__name__}, got {names}", "device")
        with quiet_transformers(), torch.device("meta"):
            layers = model_class(config).get_decoder().layers
        free = {one: free_memory.free_memory_bytes(one) or 0 for one in devices}
        return cls(need, tuple(_count(layer) for layer in layers), free)

    def plan(self, dtype: torch.dtype, quantization: str | None) -> SplitPlan:
        """The best split in a number format.

        Args:
            dtype: of weights, cache and work.
            quantization: of the decoder's linear layers; None for none.
        """
        shape, first = self.need.shape, self.need.device
        size, num_layers = dtype.itemsize, len(self.layers)
        whole = describe_footprint(
            shape,
            size,
            quantization=quantization,
            device_type=first.type,
            frames_per_batch=self.need.frames_per_batch,
        )
        bits = 8 * size if quantization is None else quantized_bits(quantization, size, first.type)
        weights = [int(8 * size * (total - linear) + bits * linear) // 8 for total, linear in self.layers]
        layers = [one + whole.key_value_bytes // num_layers for one in weights]
        work = decoder_activation_bytes(shape, default_context_tokens(shape), size)
        rest = whole.weight_bytes - sum(weights) + whole.activation_bytes + whole.logit_bytes
        beside = [rest, *([work] * (len(self.free) - 1))]
        ends = [0, *split_layers(layers, beside, list(self.free.values()))]
        return SplitPlan(
            tuple(
                DeviceShare(device, end - start, _bytes_of(layers[start:end], beside[place], place), free)
                for place, ((device, free), start, end) in enumerate(
                    zip(self.free.items(), ends[:-1], ends[1:], strict=True)
                )
            )
        )


def split_layers(layers: Sequence[int], beside: Sequence[int], free: Sequence[int]) -> list[int]:
    """Split layers into one run per device, so that the largest part of free memory in use is smallest.

    Args:
        layers: bytes of each layer.
        beside: bytes that each device needs beside its layers; those after the first only if they have a layer.
        free: free bytes of each device.

    Returns:
        Per device, the number of layers up to its end; the last is all of them.
    """
    best: list[tuple[float, list[int]] | None] = [(0.0, []), *([None] * len(layers))]
    for place, (own, room) in enumerate(zip(beside, free, strict=True)):
        after: list[tuple[float, list[int]] | None] = [None] * (len(layers) + 1)
        for start, found in enumerate(best):
            if found is None:
                continue
            for end in range(start, len(layers) + 1):
                fullest = max(found[0], _bytes_of(layers[start:end], own, place) / max(room, 1))
                known = after[end]
                if known is None or fullest < known[0]:
                    after[end] = (fullest, [*found[1], end])
        best = after
    whole = best[-1]
    return [] if whole is None else whole[1]


def check_split_fits(wanted: SplitNeed, name: str, dtype: torch.dtype, quantization: str | None) -> SplitPlan:
    """The split of a model; compares what each device needs with what it has free.

    Raises:
        ModelTooBigError: a device needs more; the message has what would fit.
    """
    plan = wanted.plan(dtype, quantization)
    if plan.fits:
        return plan
    kind = "" if quantization is None else f" with {quantization}"
    short = ", ".join(
        f"{one.device} needs {one.num_bytes / 1e9:.1f} GB and has {one.free_bytes / 1e9:.1f} GB free"
        for one in plan.shares
    )
    raise ModelTooBigError(
        f"{name} in {dtype_name(dtype)}{kind} does not fit over {len(plan.shares)} devices: {short}; "
        + _advice(wanted, dtype, quantization)
    )


def _advice(wanted: SplitNeed, dtype: torch.dtype, quantization: str | None) -> str:
    """Options of the same model that fit on these devices."""
    found = [words for words, kind, one in wanted.need.options(dtype, quantization) if wanted.plan(one, kind).fits]
    if not found:
        return "use a smaller model or more devices, or close other programs"
    return f"what fits: {' or '.join(' '.join(words) for words in found[:2])}"


def _bytes_of(layers: Sequence[int], beside: int, place: int) -> int:
    return sum(layers) + beside if layers or place == 0 else 0


def _count(layer: torch.nn.Module) -> tuple[int, int]:
    linear = [module for module in layer.modules() if isinstance(module, torch.nn.Linear)]
    return sum(one.numel() for one in layer.parameters()), sum(module.weight.numel() for module in linear)
