"""A device that refuses what Apple's GPUs lack: 64-bit floating-point numbers, and operations without a kernel for MPS.

Which operations have one is read from torch's own table of functions, `native_functions.yaml`, that its package has.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
import torchgen
import yaml
from torch.utils._python_dispatch import TorchDispatchMode

TABLE = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / "native_functions.yaml"
ANYWHERE = {"CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"}
WIDE = (torch.float64, torch.complex128)


@cache
def without_kernel() -> frozenset[str]:
    """Names such as `aten::sum.dim_IntList` of operations that have kernels for devices, but none for MPS."""
    entries = {entry["func"].partition("(")[0]: entry for entry in yaml.safe_load(TABLE.read_text(encoding="utf-8"))}
    missing = set()
    for name, entry in entries.items():
        kernels = entries.get(entry.get("structured_delegate"), entry).get("dispatch") or {}
        keys = {key.strip() for keys in kernels for key in keys.split(",")}
        if keys and "MPS" not in keys and not keys & ANYWHERE:
            missing.add(f"aten::{name}")
    return frozenset(missing)


class FakeMps(TorchDispatchMode):
    """Raises where the real device would; operations on the CPU's own variant of a kernel pass."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.name()
        self.names.add(name)
        if name in without_kernel() and not name.endswith("_for_cpu"):
            raise NotImplementedError(f"{name} has no kernel for MPS")
        result = func(*args, **(kwargs or {}))
        for tensor in (*_tensors(args), *_tensors(list((kwargs or {}).values())), *_tensors(result)):
            if tensor.dtype in WIDE:
                raise TypeError(f"MPS has no {tensor.dtype}, in {name}")
        return result


def _tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [found for part in value for found in _tensors(part)] if isinstance(value, list | tuple) else []
