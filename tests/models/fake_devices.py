"""Two devices, as far as a CPU can show them: `cpu:0` and `cpu:1`.

torch gives every tensor of the CPU the device `cpu`, so which of them a tensor is on is kept here, by its memory. Every
call of torch from Python is seen. As with GPUs, tensors of different devices in one call are refused, those of the host
included, except numbers without dimensions, and indices of the host.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

HOST = torch.device("cpu")
FIRST, SECOND = torch.device("cpu:0"), torch.device("cpu:1")
VMAP = torch.vmap
INDEXING = {"__getitem__", "__setitem__"}
LOOKING = {"tolist", "item", "__bool__", "__int__", "__float__", "__len__", "__format__", "__repr__"}


class FakeDevices(TorchFunctionMode):
    """Raises where real devices would.

    Attributes:
        num_calls: calls on tensors of each device.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[int, tuple[torch.device, Any, Any]] = {}  # with the memory: no other gets its address
        self.num_calls = {FIRST: 0, SECOND: 0}

    def __enter__(self) -> "FakeDevices":
        torch.vmap = self._vmap
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        torch.vmap = VMAP
        super().__exit__(*error)

    def _vmap(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        mapped = VMAP(func, *args, **kwargs)

        def run(*inputs: Any) -> Any:
            result = mapped(*inputs)
            found = {self.device_of(one) for one in _tensors(inputs) if not _is_batched(one)} - {HOST}
            for one in _tensors(result) if found else []:
                if not _is_batched(one):
                    self._put(one, *found)
            return result

        return run

    def device_of(self, tensor: torch.Tensor) -> torch.device:
        """Where a tensor is."""
        found = self._places.get(_address(tensor))
        return tensor.device if found is None else found[0]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if any(_is_batched(one) for one in _tensors([args, kwargs])):
            return func(*args, **kwargs)  # within `torch.vmap`, whose whole result has a device
        if name == "__get__" and getattr(func, "__self__", None) is torch.Tensor.device:
            return self.device_of(args[0])
        if name in {"to", "cpu"}:
            return self._copy(func, name, args, kwargs)
        result = func(*args, **kwargs)
        given = _tensors([*args[:1], *args[2:], kwargs] if name in INDEXING else [args, kwargs])
        found = {self.device_of(one) for one in given if one.dim() and not one.is_meta}
        found |= {device for one in given if (device := self.device_of(one)) in self.num_calls}
        if name in INDEXING:
            found |= {device for one in _tensors(args[1]) if (device := self.device_of(one)) in self.num_calls}
        if len(found) > 1 and name not in {"copy_", *LOOKING}:
            raise RuntimeError(f"{name}: expected all tensors on one device, got {sorted(map(str, found))}")
        asked = kwargs.get("device")
        place = torch.device(asked) if asked is not None else next(iter(found), HOST)
        if place in self.num_calls:
            self.num_calls[place] += 1
            for one in _tensors(result):
                self._put(one, place)
        return result

    def _copy(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        source = args[0]
        words = [kwargs.get("device"), *args[1:]] if name == "to" else [HOST]
        wanted = [
            self.device_of(one) if isinstance(one, torch.Tensor) else torch.device(one)
            for one in words
            if isinstance(one, torch.Tensor | torch.device | str)
        ]
        place = wanted[0] if wanted else self.device_of(source)
        result = func(*args, **kwargs)
        if place == self.device_of(source) and result is source:
            return result
        if _address(result) == _address(source):
            result = result.clone()
        if place in self.num_calls:
            self._put(result, place)
        return result

    def _put(self, tensor: torch.Tensor, place: torch.device) -> None:
        if not tensor.is_meta:
            held = self._places.setdefault(_address(tensor), (place, tensor, tensor.untyped_storage()))
            if held[0] != place:
                raise RuntimeError(f"a tensor of {held[0]} became one of {place} without a copy")


def _is_batched(tensor: torch.Tensor) -> bool:
    try:
        tensor.untyped_storage()
    except (RuntimeError, NotImplementedError):
        return not tensor.is_meta
    return False


def _address(tensor: torch.Tensor) -> int:
    """Where its memory starts; its identity without memory."""
    return id(tensor) if tensor.is_meta else tensor.untyped_storage().data_ptr() or id(tensor)


def _tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [found for part in value for found in _tensors(part)] if isinstance(value, list | tuple) else []
