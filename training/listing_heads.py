"""Heads inserted into the half-trained decoder to list things one after another.

A caption names each thing once. At every step the decoder must attend to visible things not named yet: one head gathers
what the text has named, another attends to things unlike that. To learn this, a decoder must associate each noun's key
with its record, for every noun; until then it names visible things in the wrong order, or twice. As with the lookup
heads (`initialisation.py`), the weights start in that structure and are then trained. A third head records what a
visual token's cell showed one frame earlier.

They replace heads that had learned little: the last group of layer 0 and the first group of layer 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.tokenizer import build_tokenizer
from keepsight.toyworld.vocabulary import NOUNS
from training.moments import GRID
from training.packing import Packed, packed_embeddings
from training.tower_stage import word_vectors
from training.word_vectors import KINDS, bare, cell_vectors

GATHER_LAYER, GATHER_GROUP = 0, 3
LIST_LAYER, LIST_GROUP = 1, 0
FAST = 6
"""Rotations that distinguish neighbouring positions."""
THING_DIMS, CELL_DIM, MATCH_DIMS = (14, 15, 30, 31), 15, (8, 9, 10, 11, 12, 13, 24, 25, 26, 27, 28, 29)
"""Slow rotations: their comparisons do not depend on distance."""
LOOK_BACK_BIAS = 9.0
GATHER_BIAS, CELLS_AGAINST = 3.0, 0.67
KEY_GAIN, QUERY_GAIN = 3.0, 3.0
THING_BIAS, SEEN_BIAS = 10.0, 3.0
NOTE_STRENGTH, BEFORE_STRENGTH, COPY_STRENGTH = 1.0, 0.5, 0.3


@dataclass(frozen=True)
class Directions:
    """Directions of the residual stream, each `[n, dim]` with orthonormal rows.

    Attributes:
        thing: shared by all nouns, `[dim]`.
        cells: places in the frame.
        nouns: what distinguishes nouns, nearly absent in other words.
        named: record of the nouns named so far; otherwise unused in replies.
        before: record of the previous frame; otherwise unused.
    """

    thing: Tensor
    cells: Tensor
    nouns: Tensor
    named: Tensor
    before: Tensor


def put_in_listing_heads(
    model: LlavaOnevisionForConditionalGeneration, samples: Sequence[Packed], seed: int = 77
) -> None:
    """Overwrite two groups of heads; `samples` provide the words used and the hidden states of replies."""
    text: Any = model.config.text_config
    head_dim = text.hidden_size // text.num_attention_heads
    generator = torch.Generator().manual_seed(seed)
    layers: Any = model.model.language_model.layers
    with torch.no_grad():
        directions = find_directions(model, samples, head_dim)
        _gather(layers[GATHER_LAYER].self_attn, directions, head_dim, text.rope_parameters["rope_theta"])
        _list(layers[LIST_LAYER].self_attn, directions, head_dim, generator)


def find_directions(
    model: LlavaOnevisionForConditionalGeneration, samples: Sequence[Packed], head_dim: int
) -> Directions:
    """Directions that the heads read from and write to."""
    nouns = word_vectors(model, NOUNS)
    thing = normalize(nouns.mean(0), dim=0)
    cells = cell_vectors(GRID * GRID, nouns.shape[1])
    loud = torch.cat([_other_words(model, samples), thing.unsqueeze(0), cells])
    span = torch.linalg.svd(loud, full_matrices=False)[2][: 2 * nouns.shape[1] // 3]
    alone = (nouns - nouns.mean(0)) @ (torch.eye(nouns.shape[1]) - span.T @ span)
    apart = torch.linalg.svd(alone, full_matrices=False)[2][: head_dim - 1]
    quiet = _quiet_directions(model, samples, 2 * head_dim)
    return Directions(thing, cells, apart, quiet[:head_dim], quiet[head_dim:])


def _other_words(model: LlavaOnevisionForConditionalGeneration, samples: Sequence[Packed]) -> Tensor:
    """Embeddings of all words of the samples and the vocabulary's kinds that are not nouns."""
    embedding: Any = model.get_input_embeddings()
    ids = {token for sample in samples for token in sample.prefix_ids}
    ids |= {token for sample in samples for one in sample.branches for token in (*one.prompt_ids, *one.reply_ids)}
    words = build_tokenizer().convert_ids_to_tokens(sorted(ids))
    others = [token for token, word in zip(sorted(ids), words, strict=True) if bare(word) not in NOUNS]
    said = embedding.weight[torch.tensor(others)]
    kinds = [word_vectors(model, KINDS[kind]) for kind in ("colour", "place", "fixture", "box", "verb")]
    return torch.cat([said, *kinds])


def _quiet_directions(model: LlavaOnevisionForConditionalGeneration, samples: Sequence[Packed], count: int) -> Tensor:
    """Directions with the least power before the listing layer, in prompts and replies."""
    layers: Any = model.model.language_model.layers
    inside = []
    for sample in samples:
        batch, embeds = packed_embeddings(model, [sample], 0)
        states = model.model.language_model(
            inputs_embeds=embeds,
            attention_mask=batch.attention_mask,
            position_ids=batch.position_ids,
            use_cache=False,
            output_hidden_states=True,
        ).hidden_states
        inside.append(layers[LIST_LAYER].input_layernorm(states[LIST_LAYER])[0, len(sample.prefix_ids) :])
    stream = torch.cat(inside)
    quiet: Tensor = torch.linalg.eigh(stream.T @ stream).eigenvectors[:, :count].T
    return quiet


def _gather(attention: Any, directions: Directions, head_dim: int, base: float) -> None:
    """Two heads on one set of keys: the token one frame earlier, and the nouns of the text so far.

    A visual token contains its place in the frame, a word does not: this distinguishes nouns in text from visible
    things.
    """
    half, offset = head_dim // 2, GRID * GRID
    keys, (back, gather) = _clear(attention, GATHER_GROUP, head_dim)
    angles = torch.tensor(base) ** (-torch.arange(FAST) / half)
    attention.k_proj.bias[keys][:FAST] = LOOK_BACK_BIAS
    attention.q_proj.bias[back][:FAST] = LOOK_BACK_BIAS * torch.cos(offset * angles)
    attention.q_proj.bias[back][half : half + FAST] = -LOOK_BACK_BIAS * torch.sin(offset * angles)
    dims = torch.tensor(THING_DIMS)
    attention.k_proj.weight[keys][dims] = directions.thing - CELLS_AGAINST * directions.cells.sum(0)
    attention.q_proj.bias[gather][dims] = GATHER_BIAS
    attention.v_proj.weight[keys] = torch.cat([directions.thing.unsqueeze(0), directions.nouns])
    attention.o_proj.weight[:, back] = BEFORE_STRENGTH * directions.before.T
    attention.o_proj.weight[:, gather] = NOTE_STRENGTH * directions.named.T


def _list(attention: Any, directions: Directions, head_dim: int, generator: torch.Generator) -> None:
    """Two heads that attend to visible things unlike those already named."""
    dim = len(directions.thing)
    keys, heads = _clear(attention, LIST_GROUP, head_dim)
    mix = normalize(torch.randn(len(MATCH_DIMS), len(directions.nouns), generator=generator), dim=1)
    copied = torch.linalg.qr(torch.randn(dim, head_dim, generator=generator))[0]
    dims = torch.tensor(MATCH_DIMS)
    attention.k_proj.weight[keys][dims] = KEY_GAIN * mix @ directions.nouns
    attention.k_proj.weight[keys][THING_DIMS[0]] = directions.thing
    attention.k_proj.weight[keys][CELL_DIM] = directions.cells.sum(0)
    attention.v_proj.weight[keys] = copied.T
    for head in heads:
        attention.q_proj.weight[head][dims] = -QUERY_GAIN * mix @ directions.named[1:]
        attention.q_proj.bias[head][THING_DIMS[0]] = THING_BIAS
        attention.q_proj.bias[head][CELL_DIM] = SEEN_BIAS
        attention.o_proj.weight[:, head] = COPY_STRENGTH * copied


def _clear(attention: Any, group: int, head_dim: int) -> tuple[slice, tuple[slice, slice]]:
    """Clear a key head and its two query heads; returns their rows."""
    keys = slice(group * head_dim, (group + 1) * head_dim)
    first, second = (slice(head * head_dim, (head + 1) * head_dim) for head in (2 * group, 2 * group + 1))
    for projection in (attention.k_proj, attention.v_proj):
        projection.weight[keys] = 0.0
        projection.bias[keys] = 0.0
    for rows in (first, second):
        attention.q_proj.weight[rows] = 0.0
        attention.q_proj.bias[rows] = 0.0
    return keys, (first, second)
