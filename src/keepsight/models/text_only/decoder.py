"""The decoder of Qwen2 (arXiv 2407.10671) in plain torch, for one prompt at a time.

Pre-normalised layers (RMSNorm, arXiv 1910.07467), grouped queries with biases (arXiv 2305.13245), rotary positions
(arXiv 2104.09864) and a gated feed-forward with SiLU (arXiv 2002.05202). Qwen2.5-VL has the same decoder: its three
position axes are equal in text, where they turn queries and keys as one axis does.

It is called as transformers' decoders are, so `LanguageModel` and `generate` work with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from keepsight.errors import UnsupportedModelError

_TEXT_TYPES = frozenset({"qwen2", "qwen2_5_vl_text"})


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a decoder.

    Attributes:
        num_layers: number of layers.
        num_heads: query heads.
        num_key_value_heads: key and value heads.
        dim: width of states.
        norm_epsilon: added to the mean square before its root.
        rope_theta: base of the rotary frequencies.
        context_window_tokens: limit of prompt plus reply.
    """

    num_layers: int
    num_heads: int
    num_key_value_heads: int
    dim: int
    norm_epsilon: float
    rope_theta: float
    context_window_tokens: int

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.dim // self.num_heads

    @property
    def weight_names(self) -> frozenset[str]:
        """Names of all tensors of the decoder, without a prefix."""
        parts = [f"self_attn.{one}_proj.{kind}" for one in "qkv" for kind in ("weight", "bias")]
        parts += ["self_attn.o_proj.weight", *(f"mlp.{one}_proj.weight" for one in ("gate", "up", "down"))]
        parts += ["input_layernorm.weight", "post_attention_layernorm.weight"]
        layers = {f"layers.{layer}.{part}" for layer in range(self.num_layers) for part in parts}
        return frozenset(layers | {"embed_tokens.weight", "norm.weight"})

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Sizes from a checkpoint's `config.json`.

        Raises:
            UnsupportedModelError: the decoder differs from the one here.
        """
        text = config.get("text_config", {})
        rope = text.get("rope_parameters", {})
        required = {
            "model_type": (text.get("model_type") in _TEXT_TYPES, True),
            "hidden_act": (text.get("hidden_act"), "silu"),
            "rope_type": (rope.get("rope_type"), "default"),
            "layer_types": (set(text.get("layer_types", ())), {"full_attention"}),
            "tie_word_embeddings": (config.get("tie_word_embeddings"), True),
        }
        if unlike := [name for name, (found, expected) in required.items() if found != expected]:
            raise UnsupportedModelError(f"the decoder must be that of Qwen2 with tied embeddings: {unlike[0]} differs")
        return cls(
            num_layers=text["num_hidden_layers"],
            num_heads=text["num_attention_heads"],
            num_key_value_heads=text["num_key_value_heads"],
            dim=text["hidden_size"],
            norm_epsilon=text["rms_norm_eps"],
            rope_theta=rope["rope_theta"],
            context_window_tokens=text["max_position_embeddings"],
        )


class TextCache:
    """Keys and values so far, `[1, num_key_value_heads, length, head_dim]` for each layer."""

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self._layers[0][0].shape[2] if self._layers else 0

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append to a layer, and return all of it."""
        if layer in self._layers:
            old_keys, old_values = self._layers[layer]
            keys, values = torch.cat([old_keys, keys], dim=2), torch.cat([old_values, values], dim=2)
        self._layers[layer] = keys, values
        return keys, values


@dataclass(frozen=True)
class DecoderOutput:
    """States after the last layer, `[1, num_tokens, dim]`."""

    last_hidden_state: Tensor


class TextDecoder:
    """Layers of the decoder.

    Args:
        weights: tensors by their name after `model.`, such as `layers.0.mlp.up_proj.weight`.
        shape: sizes.
    """

    def __init__(self, weights: Mapping[str, Tensor], shape: DecoderShape) -> None:
        self._weights = weights
        self._shape = shape
        places = torch.arange(0, shape.head_dim, 2, dtype=torch.float32)
        self._frequencies = 1.0 / shape.rope_theta ** (places / shape.head_dim)

    def __call__(
        self, *, inputs_embeds: Tensor, attention_mask: None, past_key_values: TextCache, use_cache: bool
    ) -> DecoderOutput:
        """States of a prompt, or of one token after it.

        Args:
            inputs_embeds: `[1, num_tokens, dim]`; more than one token only if the cache is empty.
            attention_mask: None, since a single prompt has no padding.
            past_key_values: extended by these tokens.
            use_cache: True.
        """
        del attention_mask, use_cache
        turn = self._turn(past_key_values.length, inputs_embeds.shape[1])
        states = inputs_embeds
        for layer in range(self._shape.num_layers):
            name = f"layers.{layer}"
            states = states + self._attend(layer, self._norm(states, f"{name}.input_layernorm"), turn, past_key_values)
            states = states + self._feed_forward(name, self._norm(states, f"{name}.post_attention_layernorm"))
        return DecoderOutput(self._norm(states, "norm"))

    def _attend(self, layer: int, states: Tensor, turn: tuple[Tensor, Tensor], cache: TextCache) -> Tensor:
        name = f"layers.{layer}.self_attn"
        queries = _turned(self._heads(states, f"{name}.q_proj", self._shape.num_heads), *turn)
        keys = _turned(self._heads(states, f"{name}.k_proj", self._shape.num_key_value_heads), *turn)
        values = self._heads(states, f"{name}.v_proj", self._shape.num_key_value_heads)
        keys, values = cache.append(layer, keys, values)
        is_causal = states.shape[1] > 1
        seen = functional.scaled_dot_product_attention(queries, keys, values, is_causal=is_causal, enable_gqa=True)
        return self._project(seen.transpose(1, 2).flatten(2), f"{name}.o_proj")

    def _feed_forward(self, name: str, states: Tensor) -> Tensor:
        gate = functional.silu(self._project(states, f"{name}.mlp.gate_proj"))
        return self._project(gate * self._project(states, f"{name}.mlp.up_proj"), f"{name}.mlp.down_proj")

    def _heads(self, states: Tensor, name: str, num_heads: int) -> Tensor:
        """Projection split into heads: `[1, num_heads, num_tokens, head_dim]`."""
        return self._project(states, name).view(1, -1, num_heads, self._shape.head_dim).transpose(1, 2)

    def _project(self, states: Tensor, name: str) -> Tensor:
        return functional.linear(states, self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias"))

    def _norm(self, states: Tensor, name: str) -> Tensor:
        mean_square = states.pow(2).mean(dim=-1, keepdim=True)
        return self._weights[f"{name}.weight"] * (states * torch.rsqrt(mean_square + self._shape.norm_epsilon))

    def _turn(self, start: int, num_tokens: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each position's angles, `[num_tokens, head_dim]`: the two halves of a head turn alike."""
        angles = torch.outer(torch.arange(start, start + num_tokens, dtype=torch.float32), self._frequencies)
        both = torch.cat([angles, angles], dim=1)
        return both.cos(), both.sin()


def _turned(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Heads turned by their positions: the first half of a head is the real part, the second the imaginary one."""
    real, imaginary = heads.chunk(2, dim=-1)
    return heads * cosine + torch.cat([-imaginary, real], dim=-1) * sine


@dataclass(frozen=True, eq=False)
class InputEmbeddings:
    """Rows of a table by token id.

    Attributes:
        weight: `[vocabulary, dim]`.
    """

    weight: Tensor

    def __call__(self, ids: Tensor) -> Tensor:
        """Embeddings `[..., dim]` of ids."""
        return functional.embedding(ids, self.weight)


class TextLanguage:
    """Decoder, input embeddings and head, as `LanguageModel` takes them from a transformers model.

    No `nn.Module`: on the meta device its initial values import the compiler, and elsewhere they are drawn for nothing.

    Args:
        weights: as for `TextDecoder`, with `embed_tokens.weight`, which is also the head.
        shape: sizes.
    """

    def __init__(self, weights: Mapping[str, Tensor], shape: DecoderShape) -> None:
        self._weights = weights
        self._shape = shape

    def get_decoder(self) -> TextDecoder:
        """Layers, without the head."""
        return TextDecoder(self._weights, self._shape)

    def get_input_embeddings(self) -> InputEmbeddings:
        """Embedding of token ids."""
        return InputEmbeddings(self._weights["embed_tokens.weight"])

    def get_output_embeddings(self) -> Callable[[Tensor], Tensor]:
        """States to logits."""
        return partial(functional.linear, weight=self._weights["embed_tokens.weight"])
