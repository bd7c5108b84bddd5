"""Memory of a decoder's gated delta networks (arXiv 2412.06464): linear attention, with one state instead of keys and
values for each token."""

from dataclasses import dataclass
from typing import Any, Self

CHUNK_TOKENS = 64
"""Tokens that transformers' implementation for prompts computes at once."""

STATE_BYTES = 4
"""Bytes of a value of the state, and of all that is computed for it: float32 in any model."""


@dataclass(frozen=True)
class LinearAttention:
    """Sizes of the linear attention in a decoder.

    Attributes:
        num_layers: layers with it.
        num_key_heads: heads of queries and keys.
        num_value_heads: heads of values, a multiple.
        key_head_dim: width of a query's or key's head.
        value_head_dim: width of a value's head.
        kernel_tokens: tokens that the convolution before it sees.
    """

    num_layers: int
    num_key_heads: int
    num_value_heads: int
    key_head_dim: int
    value_head_dim: int
    kernel_tokens: int

    @classmethod
    def of(cls, text_config: Any) -> Self | None:
        """Sizes from a decoder's configuration; None if no layer has linear attention."""
        num_layers = list(getattr(text_config, "layer_types", None) or ()).count("linear_attention")
        if not num_layers:
            return None
        return cls(
            num_layers=num_layers,
            num_key_heads=text_config.linear_num_key_heads,
            num_value_heads=text_config.linear_num_value_heads,
            key_head_dim=text_config.linear_key_head_dim,
            value_head_dim=text_config.linear_value_head_dim,
            kernel_tokens=text_config.linear_conv_kernel_dim,
        )

    @property
    def convolved_width(self) -> int:
        """Width of queries, keys and values together."""
        return 2 * self.num_key_heads * self.key_head_dim + self.num_value_heads * self.value_head_dim

    def state_bytes(self, bytes_per_value: int) -> int:
        """Bytes of the states of all layers, whatever the length of the context."""
        state = self.num_value_heads * self.key_head_dim * self.value_head_dim
        return self.num_layers * (state * STATE_BYTES + self.convolved_width * self.kernel_tokens * bytes_per_value)

    def activation_bytes(self, num_tokens: int, bytes_per_value: int) -> int:
        """Bytes alive at once in one layer while a prompt is read, besides the layer's input.

        With keys repeated for each head of values, in float32: queries and keys, decayed queries and keys, keys times
        beta, these decayed, keys as the state reads them; values, values times beta, new values, the output; and per
        token of a chunk decays, system and attention within the chunk. In the model's type: what the convolution
        returned, and the gate.
        """
        num_padded = -(-num_tokens // CHUNK_TOKENS) * CHUNK_TOKENS
        keys, values = (self.num_value_heads * dim for dim in (self.key_head_dim, self.value_head_dim))
        in_chunk = 3 * self.num_value_heads * CHUNK_TOKENS
        return num_padded * (6 * keys + 4 * values + in_chunk) * STATE_BYTES + num_tokens * bytes_per_value * (
            self.convolved_width + values
        )
