"""Layout of a prompt in pieces: text, memory, clip and separators, and their tensors.

An adapter chooses the pieces (`VideoAdapter.lay_out`); the rest is common: embeddings, positions, and the columns of
the clip's own tokens, which are scored.

`PromptBuilder` builds prompts, counts their tokens, and keeps them within the context window.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from keepsight.errors import PromptTooLongError, SettingError
from keepsight.method.protocol import ModelInfo, VisualInput
from keepsight.models.prompting.chat import PromptIds
from keepsight.models.prompting.positions import GridRule, PieceShape, prompt_positions


@dataclass(frozen=True, eq=False)
class Memory:
    """Memory tokens: `[num_tokens, visual_dim]`, oldest first."""

    tokens: Tensor


@dataclass(frozen=True, eq=False)
class Frames:
    """Tokens of whole frames, `[num_tokens, visual_dim]`; one piece per frame if separators are in between."""

    tokens: Tensor


@dataclass(frozen=True, eq=False)
class Separator:
    """Embeddings outside the vocabulary: `[num_tokens, dim]`."""

    embeds: Tensor


Piece = Sequence[int] | Memory | Frames | Separator
"""Token ids, or one of the others."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt as decoder input.

    Attributes:
        embeds: `[length, dim]`.
        positions: int64 `[axes, length]`; one axis, or three under M-RoPE. None for 0, 1, 2 ...
        clip_columns: int64 `[num_clip_tokens]`, columns of whole frames' tokens, increasing, on the CPU.
        is_visual: bool `[length]`, True for memory and frames.
        ids: int64 `[length]`, token ids; -1 where there is no token.
        deepstack: `[levels, length, dim]`, added to the states after the first layers (DeepStack, arXiv 2406.04334);
            None for architectures without it.
    """

    embeds: Tensor
    positions: Tensor | None
    clip_columns: Tensor
    is_visual: Tensor
    ids: Tensor
    deepstack: Tensor | None

    def __len__(self) -> int:
        return len(self.embeds)

    @property
    def next_position(self) -> int:
        """Position of the first token after the prompt."""
        return len(self) if self.positions is None else int(self.positions.max()) + 1


def num_tokens(pieces: Sequence[Piece]) -> int:
    """Number of tokens of a prompt."""
    return sum(_length(piece) for piece in pieces)


def assemble(
    pieces: Sequence[Piece],
    embed_ids: Callable[[Sequence[int]], Tensor],
    memory_offsets: Tensor | None = None,
    grid: GridRule | None = None,
) -> Prompt:
    """Tensors of a prompt.

    Args:
        pieces: in order.
        embed_ids: input embeddings of token ids, `[len(ids), dim]`.
        memory_offsets: place memory at its original positions, see `VisualInput`; None for contiguous positions.
        grid: grid of frames, for models with three position axes; None for one axis.

    Raises:
        SettingError: the offsets do not match the memory.
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
        ids=torch.cat([_ids(piece) for piece in pieces]).to(text.device),
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


def _ids(piece: Piece) -> Tensor:
    if isinstance(piece, Memory | Frames | Separator):
        return torch.full((_length(piece),), -1)
    return torch.tensor(list(piece), dtype=torch.int64)


def _deepstack(pieces: Sequence[Piece], dim: int, like: Tensor) -> Tensor | None:
    """Visual features beyond the embedding, zero for text."""
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


def check_length(length: int, max_new_tokens: int, window: int) -> None:
    """Check that prompt and reply fit the context window.

    Raises:
        SettingError: `max_new_tokens` is below 1.
        PromptTooLongError: they do not fit.
    """
    if max_new_tokens < 1:
        raise SettingError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    if length + max_new_tokens > window:
        raise PromptTooLongError(
            f"the prompt has {length} tokens and the reply up to {max_new_tokens}, "
            f"but the model's context window is {window} tokens"
        )


class PromptLayout(Protocol):
    """An adapter's part in building prompts."""

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """See `VideoAdapter.lay_out`."""

    def grid(self, visual: VisualInput) -> GridRule | None:
        """See `VideoAdapter.grid`."""


class PromptBuilder:
    """Builds prompt tensors, and counts tokens without building.

    Args:
        layout: layout of pieces.
        embed_ids: input embeddings of token ids, `[num_ids, dim]`.
        info: model properties: context window, and width of visual tokens.
    """

    def __init__(self, layout: PromptLayout, embed_ids: Callable[[Sequence[int]], Tensor], info: ModelInfo) -> None:
        self._layout = layout
        self._embed_ids = embed_ids
        self._info = info

    @torch.inference_mode()
    def build(self, ids: PromptIds, visual: VisualInput | None, max_new_tokens: int) -> Prompt:
        """Tensors of a prompt.

        Raises:
            SettingError: `max_new_tokens` is below 1, the tokens have the wrong width, or the offsets do not match the
                memory.
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """
        if visual is None:
            check_length(len(ids), max_new_tokens, self._info.context_window_tokens)
            return assemble([ids.before], self._embed_ids)
        pieces = self._layout.lay_out(ids, visual)
        check_length(num_tokens(pieces), max_new_tokens, self._info.context_window_tokens)
        for tokens in (visual.memory, visual.tokens):
            if tokens.shape[1:] != (self._info.token_width,):
                raise SettingError(
                    f"visual tokens must have shape [count, {self._info.token_width}], got {list(tokens.shape)}"
                )
        return assemble(pieces, self._embed_ids, visual.memory_offsets, self._layout.grid(visual))

    def count(self, ids: PromptIds, num_memory_tokens: int, num_visual_tokens: int, like: VisualInput | None) -> int:
        """Exact length of a prompt.

        Args:
            ids: text around visual tokens.
            num_memory_tokens: memory tokens.
            num_visual_tokens: clip tokens.
            like: grid and times of the frames; None for the model's default size.
        """
        memory, tokens = torch.empty(num_memory_tokens, 0), torch.empty(num_visual_tokens, 0)
        counted = VisualInput(memory, tokens) if like is None else replace(like, memory=memory, tokens=tokens)
        return num_tokens(self._layout.lay_out(ids, counted))

    def max_memory_tokens(
        self, ids: PromptIds, num_visual_tokens: int, max_new_tokens: int, like: VisualInput | None
    ) -> int:
        """Memory tokens that still fit before a clip, at least 0."""
        room = self._info.context_window_tokens - max_new_tokens
        most = room - (self.count(ids, 1, num_visual_tokens, like) - 1)
        if most < 1 or self.count(ids, most, num_visual_tokens, like) <= room:
            return max(0, most)
        # Text around the memory grows with it.
        lengths = range(most + 1)
        return bisect_right(lengths, room, key=lambda num: self.count(ids, num, num_visual_tokens, like)) - 1
