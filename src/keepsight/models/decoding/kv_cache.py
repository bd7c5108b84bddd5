"""Key-value cache with preallocated space for the reply, so new tokens are written in place.

The stock cache concatenates on every token: for a long prompt that moves more memory than the token's arithmetic, and
briefly holds two copies. Here each layer preallocates. Removing tokens, as for rejected drafts, moves nothing either.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class PreallocatedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Growing layer with free space after its tokens; `keys` and `values` are views of the used part.

    Args:
        num_more: tokens to reserve after the first ones; grows beyond them.
    """

    def __init__(self, num_more: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._num_more = num_more
        self._rooms: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values `[batch, num_heads, num_tokens, head_dim]`; return all so far."""
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
        """Storage for existing, new and expected tokens, with the existing ones copied."""
        batch, num_heads, num_new, head_dim = new.shape
        room = torch.empty(
            batch, num_heads, num_old + num_new + self._num_more, head_dim, dtype=new.dtype, device=new.device
        )
        if num_old and old is not None:
            room[:, :, :num_old] = old
        return room


def roomy_cache(config: Any, num_more: int) -> Cache:
    """Empty cache for a decoder, with space for `num_more` tokens after the prompt.

    Sliding-window layers keep the stock implementation, which holds only a window.

    Args:
        config: the decoder's configuration.
        num_more: tokens expected after the prompt.
    """
    stock = DynamicCache(config=config)
    layers = [PreallocatedLayer(num_more) if type(layer) is DynamicLayer else layer for layer in stock.layers]
    return Cache(layers=layers)
