"""Key-value blocks of frames, and their retrieval for a question (ReKV, arXiv 2503.00540).

A rotary position embedding rotates a key by an angle that grows with its position. Blocks hold unrotated keys, so a
block can be placed anywhere: its keys are rotated by the model's own embedding on use, which gives what the model would
have computed there, without extra rounding.

Frames are retrieved per layer, during the pass, since each layer has its own queries and keys:

- a frame is represented by the mean of its keys, the question by the mean of its queries, all heads side by side;
- means are taken before rotation, so a frame's age does not matter;
- queries of heads that share a key head are averaged; repeating the keys instead gives the same ranking;
- the question's queries come from one pass over its own words, without the chat around them. In each layer the words
  attend to the chat's opening and to the frames which that layer chose.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

from keepsight.errors import SettingError

AttentionAction = Callable[[int, Any, Tensor], None]
"""Called with a layer's index from 0, its attention module and its input hidden states `[1, length, dim]`."""


@dataclass(frozen=True, eq=False)
class KeyValueBlock:
    """Keys and values of consecutive tokens in every layer.

    Attributes:
        keys: `[num_layers, num_key_value_heads, num_tokens, head_dim]`, without rotation.
        values: of the same shape.

    Raises:
        SettingError: the shapes differ or do not have four axes.
    """

    keys: Tensor
    values: Tensor

    def __post_init__(self) -> None:
        if self.keys.ndim != 4 or self.keys.shape != self.values.shape:
            raise SettingError(
                "keys and values must both be [num_layers, num_key_value_heads, num_tokens, head_dim], "
                f"got {list(self.keys.shape)} and {list(self.values.shape)}"
            )

    @property
    def num_tokens(self) -> int:
        """Tokens in the block."""
        return self.keys.shape[2]

    @property
    def num_bytes(self) -> int:
        """Bytes of keys and values together."""
        return self.keys.nbytes + self.values.nbytes

    def to(self, device: torch.device) -> "KeyValueBlock":
        """The block on a device."""
        return KeyValueBlock(self.keys.to(device), self.values.to(device))

    def mean_keys(self) -> Tensor:
        """Mean over tokens, key heads side by side: float32 `[num_layers, num_key_value_heads * head_dim]`."""
        return self.keys.float().mean(dim=2).flatten(1)


@dataclass(frozen=True, eq=False)
class Retrieved:
    """What a question is answered from.

    Attributes:
        cache: the chat's opening and each layer's frames at positions 0, 1, 2 ...; the prompt continues after it.
        frames: frames that each layer chose, in time order, from 0; equally many per layer.
    """

    cache: Cache
    frames: tuple[tuple[int, ...], ...]


class _FilledLaterLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Cache layer that reports its future length, since masks are made before the lower layers have chosen."""

    def __init__(self, num_tokens: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_tokens = num_tokens

    def get_seq_length(self) -> int:
        """Tokens in the layer, or those it will start with."""
        return int(super().get_seq_length()) or self.num_tokens


@torch.inference_mode()
def encode_block(decoder: Any, embeds: Tensor, before: Sequence[KeyValueBlock]) -> KeyValueBlock:
    """Keys and values of tokens that attend to earlier blocks and, causally, to one another.

    Args:
        decoder: Qwen2's stack of layers.
        embeds: `[num_tokens, dim]`.
        before: earlier blocks in order, at positions 0, 1, 2 ...; may be empty.
    """
    cache = DynamicCache()
    keys: list[Tensor] = []
    values: list[Tensor] = []

    def note(_: int, attention: Any, hidden: Tensor) -> None:
        keys.append(_by_head(attention.k_proj(hidden), attention.head_dim))
        values.append(_by_head(attention.v_proj(hidden), attention.head_dim))

    for layer in range(len(decoder.layers) if before else 0):
        _fill(cache, layer, before, decoder)
    with before_attention(decoder, cache, note):
        decoder(inputs_embeds=embeds.unsqueeze(0), past_key_values=cache, use_cache=True)
    return KeyValueBlock(torch.stack(keys), torch.stack(values))


@torch.inference_mode()
def retrieve(
    decoder: Any,
    question_embeds: Tensor,
    opening: KeyValueBlock,
    frames: Sequence[KeyValueBlock],
    mean_keys: Sequence[Tensor],
    num_retrieved: int,
) -> Retrieved:
    """Choose frames for a question in every layer: see the module docstring.

    Args:
        decoder: Qwen2's stack of layers.
        question_embeds: `[num_tokens, dim]`, the question's tokens, at least one.
        opening: the chat's opening, always there.
        frames: blocks of equal length in time order, on any device, at least one.
        mean_keys: `KeyValueBlock.mean_keys` of each.
        num_retrieved: frames to choose; all if there are fewer.
    """
    count = min(num_retrieved, len(frames))
    length = opening.num_tokens + count * frames[0].num_tokens
    cache = Cache(layers=[_FilledLaterLayer(length) for _ in decoder.layers])
    chosen: list[tuple[int, ...]] = []

    def choose(layer: int, attention: Any, hidden: Tensor) -> None:
        means = torch.stack([mean[layer] for mean in mean_keys])
        indices = nearest_frames(means, _mean_query(attention, hidden), count)
        _fill(cache, layer, [opening, *(frames[index] for index in indices)], decoder)
        chosen.append(tuple(indices))

    with before_attention(decoder, cache, choose):
        decoder(inputs_embeds=question_embeds.unsqueeze(0), past_key_values=cache, use_cache=True)
    cache.crop(-len(question_embeds))  # the prompt repeats the words in its chat
    return Retrieved(cache, tuple(chosen))


def nearest_frames(mean_keys: Tensor, mean_query: Tensor, count: int) -> list[int]:
    """Frames nearest to the question by cosine similarity, in time order; ties go to the earlier.

    Args:
        mean_keys: float32 `[num_frames, width]`.
        mean_query: float32 `[width]`.
        count: frames to take, at most `num_frames`.
    """
    similarity = torch.cosine_similarity(mean_keys, mean_query.unsqueeze(0), dim=1)
    ranked = similarity.argsort(descending=True, stable=True)
    return sorted(ranked[:count].tolist())


def turn_keys(decoder: Any, keys: Tensor, first_position: int = 0) -> Tensor:
    """Keys at consecutive positions, rotated by the model's own embedding.

    Args:
        decoder: Qwen2's stack of layers.
        keys: `[1, num_key_value_heads, num_tokens, head_dim]`, without rotation.
        first_position: position of the first token.
    """
    positions = torch.arange(first_position, first_position + keys.shape[2], device=keys.device)
    cosines, sines = decoder.rotary_emb(keys, positions.unsqueeze(0))
    no_queries = keys[:, :0]
    turned: Tensor = apply_rotary_pos_emb(no_queries, keys, cosines, sines)[1]
    return turned


@contextmanager
def before_attention(decoder: Any, cache: Cache, action: AttentionAction) -> Iterator[None]:
    """Run `action` in every layer just before attention, only in passes over this cache.

    Other passes over the same weights are unaffected, in any thread. The hooks are removed at the end.
    """

    def hook_of(layer: int) -> Callable[..., None]:
        def hook(attention: nn.Module, _: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> None:
            # While a hook is put on or taken off, torch may call it without `kwargs` in a pass of another thread.
            if kwargs is not None and kwargs.get("past_key_values") is cache:
                action(layer, attention, kwargs["hidden_states"])

        return hook

    with ExitStack() as hooks:
        for index, layer in enumerate(decoder.layers):
            handle = layer.self_attn.register_forward_pre_hook(hook_of(index), with_kwargs=True)
            hooks.callback(handle.remove)
        yield


def _fill(cache: Cache, layer: int, blocks: Sequence[KeyValueBlock], decoder: Any) -> None:
    """Put blocks side by side into an empty cache layer, at positions 0, 1, 2 ..., on the decoder's device."""
    device = decoder.device
    keys = torch.cat([block.keys[layer].to(device) for block in blocks], dim=1).unsqueeze(0)
    values = torch.cat([block.values[layer].to(device) for block in blocks], dim=1).unsqueeze(0)
    cache.update(turn_keys(decoder, keys), values, layer)


def _mean_query(attention: Any, hidden: Tensor) -> Tensor:
    """Mean over tokens and over the query heads of each key head: float32 `[num_key_value_heads * head_dim]`."""
    queries: Tensor = attention.q_proj(hidden)[0].float().mean(dim=0)
    return queries.view(-1, attention.num_key_value_groups, attention.head_dim).mean(dim=1).flatten()


def _by_head(projected: Tensor, head_dim: int) -> Tensor:
    """`[1, length, num_heads * head_dim]` as `[num_heads, length, head_dim]`."""
    return projected.view(projected.shape[1], -1, head_dim).transpose(0, 1)
