"""Initial weights that already perform lookup.

A decoder that answers from captions needs two kinds of attention head together: one attends to the previous token, the
other finds a position whose previous token equals the current one and copies what follows. Small decoders learn the
pair only after a long plateau. Attention weights that start in their final structure avoid it ("mimetic
initialization", Trockman and Kolter, arXiv 2305.09828); here for both kinds of head. All weights are then trained.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from training.blueprint import build_model
from training.word_vectors import start_vectors

EMBEDDING_STD = 1.0
"""Wide embeddings: an optimiser step then changes the residual stream only a little."""
OUTPUT_SCALE = 0.1
MLP_GAIN = 2.0
LOOK_BACK_LAYER = 0
LOOK_UP_LAYERS = (1, 3)
PREPARED_GROUPS = 2
"""Prepared key heads, with the query heads sharing them, in those layers; the others start as usual."""
LOOK_BACK_BIAS = 9.0
MATCH_LOGIT = 20.0
COPY_STRENGTH = 2.0


def new_model(seed: int = 0) -> LlavaOnevisionForConditionalGeneration:
    """Model at the start of the first stage."""
    model = build_model(seed)
    start_looking_up(model, seed)
    return model


def start_looking_up(model: LlavaOnevisionForConditionalGeneration, seed: int = 0) -> None:
    """Set the attention weights of three decoder layers; other weights stay."""
    generator = torch.Generator().manual_seed(seed)
    text: Any = model.config.text_config
    head_dim = text.hidden_size // text.num_attention_heads
    key_dim = PREPARED_GROUPS * head_dim
    read = _orthonormal(text.hidden_size, key_dim, generator)  # what is read from a token
    write = _orthonormal(text.hidden_size, key_dim, generator)  # where the previous token is stored
    layers: Any = model.model.language_model.layers
    with torch.no_grad():
        embedding: Any = model.get_input_embeddings()
        embedding.weight.copy_(EMBEDDING_STD * start_vectors(text.hidden_size, generator))
        model.model.language_model.norm.weight.fill_(OUTPUT_SCALE)  # embeddings are tied: keeps logits moderate
        for layer in layers:
            for weight in layer.mlp.parameters():
                weight.mul_(MLP_GAIN)
        _look_back(layers[LOOK_BACK_LAYER].self_attn, text, read, write)
        for layer in LOOK_UP_LAYERS:
            _look_up(layers[layer].self_attn, text, read, write, generator)


def _orthonormal(dim: int, num_columns: int, generator: torch.Generator) -> Tensor:
    """Random orthonormal columns `[dim, num_columns]`."""
    columns: Tensor = torch.linalg.qr(torch.randn(dim, num_columns, generator=generator))[0]
    return columns


def _angles(text: Any, head_dim: int) -> Tensor:
    base: float = text.rope_parameters["rope_theta"]
    return torch.tensor(base) ** (-torch.arange(head_dim // 2) / (head_dim // 2))


def _look_back(attention: Any, text: Any, read: Tensor, write: Tensor) -> None:
    """Heads whose biases alone, rotated by position, attend to the previous token."""
    head_dim, group = _head_shape(text)
    half, fast = head_dim // 2, 6  # fast rotations distinguish neighbours
    angles = _angles(text, head_dim)[:fast]
    key_bias, query_bias = torch.zeros(head_dim), torch.zeros(head_dim)
    key_bias[:fast] = LOOK_BACK_BIAS
    query_bias[:fast] = LOOK_BACK_BIAS * torch.cos(angles)
    query_bias[half : half + fast] = -LOOK_BACK_BIAS * torch.sin(angles)
    keys, queries = PREPARED_GROUPS * head_dim, PREPARED_GROUPS * group * head_dim
    attention.q_proj.weight[:queries] *= 0.1
    attention.k_proj.weight[:keys] *= 0.1
    attention.q_proj.bias[:queries] = query_bias.repeat(PREPARED_GROUPS * group)
    attention.k_proj.bias[:keys] = key_bias.repeat(PREPARED_GROUPS)
    attention.v_proj.weight[:keys] = read.T
    attention.o_proj.weight[:, :queries] = EMBEDDING_STD * _for_each_head(write, group, head_dim)


def _look_up(attention: Any, text: Any, read: Tensor, write: Tensor, generator: torch.Generator) -> None:
    """Heads that match the current token with the stored previous token, and copy its token to the output."""
    head_dim, group = _head_shape(text)
    dim, key_dim = read.shape
    slow = torch.zeros(head_dim)  # slow rotations keep a match at any distance
    slow[head_dim // 4 : head_dim // 2] = slow[3 * head_dim // 4 :] = 1.0
    for number in range(PREPARED_GROUPS):
        mix = torch.randn(head_dim, key_dim, generator=generator) * slow.unsqueeze(1)
        mix = mix / mix.norm(dim=1, keepdim=True).clamp(min=1e-6)
        rows = slice(number * head_dim, (number + 1) * head_dim)
        # Two normalised inputs, each half of the length: the mix gives about dim / 4 / key_dim per row.
        gain = (MATCH_LOGIT * head_dim**0.5 / (slow.sum() * dim / 4 / key_dim)) ** 0.5
        attention.k_proj.weight[rows] = gain * mix @ write.T
        for head in range(number * group, (number + 1) * group):
            attention.q_proj.weight[head * head_dim : (head + 1) * head_dim] = gain * mix @ read.T
    keys, queries = PREPARED_GROUPS * head_dim, PREPARED_GROUPS * group * head_dim
    attention.v_proj.weight[:keys] = read.T
    attention.o_proj.weight[:, :queries] = COPY_STRENGTH * EMBEDDING_STD * _for_each_head(read, group, head_dim)


def _head_shape(text: Any) -> tuple[int, int]:
    """Head width, and number of query heads per key head."""
    return text.hidden_size // text.num_attention_heads, text.num_attention_heads // text.num_key_value_heads


def _for_each_head(columns: Tensor, group: int, head_dim: int) -> Tensor:
    """Columns of the key heads, divided among the query heads of their group."""
    blocks = columns.split(head_dim, dim=1)
    return torch.cat([block for block in blocks for _ in range(group)], dim=1) / group
