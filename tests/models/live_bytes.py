"""Bytes of all tensors alive at once, recorded operation by operation."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass


class LiveBytes(TorchDispatchMode):
    """Largest sum of bytes alive at once of tensors made inside, on the CPU; what comes from outside does not count."""

    def __init__(self) -> None:
        super().__init__()
        self._outside: set[int] = set()
        self._uses: dict[int, int] = {}
        self._now = 0
        self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for tensor in self._tensors((args, list((kwargs or {}).values()))):
            if not self._uses.get(tensor.untyped_storage().data_ptr()):
                self._outside.add(tensor.untyped_storage().data_ptr())
        result = func(*args, **(kwargs or {}))
        for tensor in self._tensors(result):
            self._note(tensor)
        self.peak = max(self.peak, self._now)
        return result

    def _tensors(self, value: object) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            # The parts of a quantised weight were made, and counted, one by one.
            counts = value.device.type == "cpu" and not is_traceable_wrapper_subclass(value)
            return [value] if counts else []
        return [found for part in value for found in self._tensors(part)] if isinstance(value, list | tuple) else []

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        address, num_bytes = storage.data_ptr(), storage.nbytes()
        if address in self._outside or num_bytes == 0:
            return
        if not self._uses.get(address):
            self._now += num_bytes
        self._uses[address] = self._uses.get(address, 0) + 1
        weakref.finalize(tensor, self._drop, address, num_bytes)

    def _drop(self, address: int, num_bytes: int) -> None:
        self._uses[address] -= 1
        if self._uses[address] == 0:
            self._now -= num_bytes
