"""Whether a model fits into free memory, and what would fit instead. Nothing but its configuration is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch

from keepsight.errors import ModelTooBigError, SettingError
from keepsight.extras import require_extra
from keepsight.models.architectures import ARCHITECTURES
from keepsight.models.checkpoint import StoredWeights
from keepsight.models.footprint import FRAMES_PER_CLIP, QUANTIZATION_BITS, ModelShape, describe_footprint
from keepsight.models.hardware import free_memory
from keepsight.models.hardware.number_formats import default_dtype, has_bfloat16, sums_apart
from keepsight.models.load_options import LoadOptions
from keepsight.models.placing import host_bytes_while_loading

_REMAINDER = "; close other programs or use another device"


@dataclass(frozen=True)
class Need:
    """A model's memory, by number format and quantisation.

    Attributes:
        shape: the model's sizes.
        device: where it is to run.
        frames_per_batch: frames per batch in its vision tower.
        half: number format of two bytes that it can run in there; None if there is none.
    """

    shape: ModelShape
    device: torch.device
    frames_per_batch: int
    half: torch.dtype | None

    @classmethod
    def of(cls, adapter: Any, shape: ModelShape, device: torch.device, published: torch.dtype | None) -> "Need":
        """Memory of a checkpoint.

        Args:
            adapter: class of its adapter.
            shape: its sizes.
            device: where it is to run.
            published: its number format; None if unknown.
        """
        on_cpu = device.type == "cpu"  # which runs bfloat16 at any speed
        half = default_dtype(
            "cuda",
            has_bfloat16=on_cpu or has_bfloat16(device),
            published=None if on_cpu else published,
            num_parameters=shape.num_parameters,
            overflows_float16=adapter.overflows_float16,
        )
        return cls(
            shape=shape,
            device=device,
            frames_per_batch=min(getattr(adapter, "frames_per_batch", None) or FRAMES_PER_CLIP, FRAMES_PER_CLIP),
            half=None if half == torch.float32 else half,
        )

    def num_bytes(self, dtype: torch.dtype, quantization: str | None) -> int:
        """Peak memory of describing a clip."""
        footprint = describe_footprint(
            self.shape,
            dtype.itemsize,
            quantization=quantization,
            device_type=self.device.type,
            frames_per_batch=self.frames_per_batch,
            sums_apart=sums_apart(self.device, dtype),
        )
        return footprint.total_bytes

    def that_fit(self, free: int, dtype: torch.dtype, quantization: str | None) -> Iterator[tuple[list[str], int]]:
        """Options that make it fit, with their bytes, those that change least first.

        Args:
            free: free memory in bytes.
            dtype: wanted format.
            quantization: wanted quantisation.
        """
        for words, kind, one in self.options(dtype, quantization):
            needed = self.num_bytes(one, kind)
            if needed <= free:
                yield words, needed

    def options(
        self, dtype: torch.dtype, quantization: str | None
    ) -> Iterator[tuple[list[str], str | None, torch.dtype]]:
        """Options that take less memory than the wanted ones, with their quantisation and format, those that change
        least first.

        Args:
            dtype: wanted format.
            quantization: wanted quantisation.
        """
        kinds = [quantization] if quantization is not None else [None, *QUANTIZATION_BITS]
        formats = [dtype, *([self.half] if self.half is not None and self.half.itemsize < dtype.itemsize else [])]
        for kind, one in sorted(product(kinds, formats), key=lambda pair: pair[0] is not None):
            words = [] if one == dtype else [f"--dtype {dtype_name(one)}"]
            words += [] if kind == quantization else [f"--quantization {kind}"]
            if words:
                yield words, kind, one


def check_fits(need: Need, name: str, model_type: str, dtype: torch.dtype, quantization: str | None) -> None:
    """Compare the computed memory with what is free on the device.

    Raises:
        ModelTooBigError: the model needs more; the message has what would fit.
    """
    free = free_memory.free_memory_bytes(need.device)
    needed = need.num_bytes(dtype, quantization)
    if free is None or needed <= free:
        return
    kind = "" if quantization is None else f" with {quantization}"
    raise ModelTooBigError(
        f"{name} needs about {needed / 1e9:.1f} GB in {dtype_name(dtype)}{kind}, "
        f"but {need.device} has {free / 1e9:.1f} GB free; " + _advice(need, free, model_type, dtype, quantization)
    )


def check_host(name: str, folder: Path, options: LoadOptions) -> None:
    """Compare what the host needs on the way to another device with what it has free.

    Raises:
        ModelTooBigError: the host has less.
        ModelError: the weights cannot be read.
    """
    if options.device.type == "cpu":
        return
    needed, free = host_bytes_while_loading(StoredWeights.of(folder), options.dtype), free_memory.host_free_bytes()
    if needed > free:
        raise ModelTooBigError(
            f"loading {name} to {options.device_names} needs about {needed / 1e9:.1f} GB of the host's memory, "
            f"which has {free / 1e9:.1f} GB free{_REMAINDER}"
        )


def dtype_name(dtype: torch.dtype) -> str:
    """Name of a number format, as users write it."""
    return str(dtype).removeprefix("torch.")


def _advice(need: Need, free: int, model_type: str, dtype: torch.dtype, quantization: str | None) -> str:
    """What fits: options of the same model, and the largest known model that is smaller."""
    found = [_with_extra(words, needed) for words, needed in list(need.that_fit(free, dtype, quantization))[:2]]
    found += _smaller_model(free, model_type, need.num_bytes(dtype, quantization))
    if not found:
        return f"no --dtype, no --quantization and no other known model makes it fit{_REMAINDER}"
    return f"what fits: {' or '.join(found)}"


def _with_extra(words: list[str], needed: int) -> str:
    text = f"{' '.join(words)} ({needed / 1e9:.1f} GB)"
    if not any(word.startswith("--quantization") for word in words):
        return text
    try:
        require_extra("quantization", "quantization")
    except SettingError as error:
        return f"{text[:-1]}; {error})"
    return text


def _smaller_model(free: int, model_type: str, needed: int) -> list[str]:
    """The largest known model that fits in half precision, of the same architecture if possible; or nothing."""
    known = [(one.model_type != model_type, -size, name) for one in ARCHITECTURES for name, size in one.memory.items()]
    for _, size, name in sorted(known):
        if -size <= free and -size < needed:
            return [f"--model {name} in half precision ({-size / 1e9:.1f} GB)"]
    return []
