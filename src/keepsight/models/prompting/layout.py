"""A prompt in pieces, and its tensors: text, memory, clip and separators in the order of the language model.

An adapter says which pieces its architecture wants (`VideoAdapter.lay_out`); what follows from them is the same for
all: the embeddings, the positions, and the columns in which the clip's own tokens stand, which are the ones scored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.models.prompting.positions import GridRule, PieceShape, prompt_positions


@dataclass(frozen=True, eq=False)
class Memory:
    """Remembered visual tokens: `[num_tokens, visual_dim]`, oldest first."""

    tokens: Tensor


@dataclass(frozen=True, eq=False)
class Frames:
    """Visual tokens of whole frames, `[num_tokens, visual_dim]`; one piece a frame where separators stand between."""

    tokens: Tensor


@dataclass(frozen=True, eq=False)
class Separator:
    """Embeddings of the model's own that are no tokens of its vocabulary: `[num_tokens, dim]`."""

    embeds: Tensor


Piece = Sequence[int] | Memory | Frames | Separator
"""Token ids, or one of the others."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """One prompt as the decoder takes it.

    Attributes:
        embeds: `[length, dim]`.
        positions: int64 `[axes, length]`; one axis, or three under M-RoPE. None for 0, 1, 2 ...
        clip_columns: int64 `[num_clip_tokens]`, where the tokens of whole frames stand, rising, on the CPU.
        is_visual: bool `[length]`, where memory and frames stand.
        deepstack: `[levels, length, dim]`, added to the states after the first layers (DeepStack, arXiv 2406.04334);
            None for architectures without it.
    """

    embeds: Tensor
    positions: Tensor | None
    clip_columns: Tensor
    is_visual: Tensor
    deepstack: Tensor | None

    def __len__(self) -> int:
        return len(self.embeds)

    @property
    def next_position(self) -> int:
        """Position of the first token after the prompt."""
        return len(self) if self.positions is None else int(self.positions.max()) + 1


def num_tokens(pieces: Sequence[Piece]) -> int:
    """Tokens of a prompt of these pieces."""
    return sum(_length(piece) for piece in pieces)


def assemble(
    pieces: Sequence[Piece],
    embed_ids: Callable[[Sequence[int]], Tensor],
    memory_offsets: Tensor | None = None,
    grid: GridRule | None = None,
) -> Prompt:
    """The tensors of a prompt.

    Args:
        pieces: in order.
        embed_ids: input embeddings of token ids, `[len(ids), dim]`.
        memory_offsets: put the memory at its original positions, see `VisualInput`; None for contiguous ones.
        grid: how frames stand, for models with three axes of positions; None for one axis.

    Raises:
        SettingError: the offsets do not fit the memory.
    """
    text = embed_ids([0])
    dim = text.shape[1]
    parts = [_embeds(piece, embed_ids, dim).to(text) for piece in pieces]
    starts = [sum(len(part) for part in parts[:index]) for index in range(len(parts))]
    clip = [
        torch.arange(start, start + _length(piece))
        for piece, start in zip(pieces, starts, strict=True)
        if isinstance(piece, Frames)
    ]
    return Prompt(
        embeds=torch.cat(parts),
        positions=prompt_positions([_shape(piece) for piece in pieces], memory_offsets, grid, text.device),
        clip_columns=torch.cat(clip) if clip else torch.empty(0, dtype=torch.int64),
        is_visual=_is_visual(pieces, text.device),
        deepstack=_deepstack(pieces, dim, text),
    )


def _length(piece: Piece) -> int:
    if isinstance(piece, Memory | Frames):
        return len(piece.tokens)
    return len(piece.embeds) if isinstance(piece, Separator) else len(piece)


def _embeds(piece: Piece, embed_ids: Callable[[Sequence[int]], Tensor], dim: int) -> Tensor:
    if isinstance(piece, Memory | Frames):
        return piece.tokens[:, :dim]
    return piece.embeds if isinstance(piece, Separator) else embed_ids(piece)


def _shape(piece: Piece) -> PieceShape:
    if isinstance(piece, Memory):
        return PieceShape("memory", _length(piece))
    return PieceShape("frames" if isinstance(piece, Frames) else "text", _length(piece))


def _is_visual(pieces: Sequence[Piece], device: torch.device) -> Tensor:
    kinds = [torch.full((_length(piece),), isinstance(piece, Memory | Frames)) for piece in pieces]
    return torch.cat(kinds).to(device)


def _deepstack(pieces: Sequence[Piece], dim: int, like: Tensor) -> Tensor | None:
    """The parts of the visual tokens beyond the embedding, zero where there is text."""
    levels = max(
        (piece.tokens.shape[1] // dim - 1 for piece in pieces if isinstance(piece, Memory | Frames)), default=0
    )
    if levels < 1:
        return None
    parts = []
    for piece in pieces:
        if isinstance(piece, Memory | Frames):
            parts.append(piece.tokens[:, dim:].to(like).view(-1, levels, dim))
        else:
            parts.append(like.new_zeros(_length(piece), levels, dim))
    return torch.cat(parts).transpose(0, 1)
