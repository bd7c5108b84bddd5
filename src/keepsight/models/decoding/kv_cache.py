"""Keys and values with room for the reply, so that a new token is written beside the old ones and nothing is copied.

The stock growing cache joins old and new to a new tensor at every token: for a long prompt that moves more memory than
the token's own arithmetic, and for a moment there are two copies. Here each layer has room from the start. Taking
tokens back, as for wrong guesses, moves nothing either.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A growing layer that writes into room kept free behind its tokens; `keys` and `values` are views of what is full.

    Args:
        num_more: tokens that are expected after the first ones; beyond them more room is made.
    """

    def __init__(self, num_more: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._num_more = num_more
        self._rooms: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add keys and values `[batch, num_heads, num_tokens, head_dim]`; all of them so far."""
        del args, kwargs
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = int(self.get_seq_length())
        end = start + key_states.shape[2]
        if self._rooms is None or end > self._rooms[0].shape[2] or key_states.shape[0] != self._rooms[0].shape[0]:
            self._rooms = (self._room(self.keys, key_states, start), self._room(self.values, value_states, start))
        keys, values = self._rooms
        keys[:, :, start:end] = key_states
        values[:, :, start:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def _room(self, old: Tensor | None, new: Tensor, num_old: int) -> Tensor:
        """Room for what is there, what comes now and what is expected, with what is there in it."""
        batch, num_heads, num_new, head_dim = new.shape
        room = torch.empty(
            batch, num_heads, num_old + num_new + self._num_more, head_dim, dtype=new.dtype, device=new.device
        )
        if num_old and old is not None:
            room[:, :, :num_old] = old
        return room


def roomy_cache(config: Any, num_more: int) -> Cache:
    """An empty cache for a decoder, with room for so many tokens after the prompt.

    Layers with a sliding window keep the stock form: they hold a window, and not what is before it.

    Args:
        config: the decoder's configuration.
        num_more: tokens expected after the prompt.
    """
    stock = DynamicCache(config=config)
    layers = [RoomyLayer(num_more) if type(layer) is DynamicLayer else layer for layer in stock.layers]
    return Cache(layers=layers)
