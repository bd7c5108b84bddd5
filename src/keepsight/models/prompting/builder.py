"""Prompts of an adapter: built, counted, and kept within the model's window."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from keepsight.errors import PromptTooLongError, SettingError
from keepsight.models.prompting.chat import PromptIds
from keepsight.models.prompting.layout import Piece, Prompt, assemble, num_tokens
from keepsight.models.prompting.positions import GridRule
from keepsight.models.protocol import ModelInfo, VisualInput


class PromptLayout(Protocol):
    """What an adapter knows of its prompts."""

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """See `VideoAdapter.lay_out`."""

    def grid(self, visual: VisualInput) -> GridRule | None:
        """See `VideoAdapter.grid`."""


class PromptBuilder:
    """Makes tensors of prompts, and counts them without any.

    Args:
        layout: in which pieces a prompt is laid out.
        embed_ids: input embeddings of token ids, `[num_ids, dim]`.
        info: of the model: its window, and the width of its visual tokens.
    """

    def __init__(self, layout: PromptLayout, embed_ids: Callable[[Sequence[int]], Tensor], info: ModelInfo) -> None:
        self._layout = layout
        self._embed_ids = embed_ids
        self._info = info

    @torch.inference_mode()
    def build(self, ids: PromptIds, visual: VisualInput | None, max_new_tokens: int) -> Prompt:
        """The tensors of a prompt.

        Raises:
            SettingError: `max_new_tokens` is below 1, the tokens have another width than the model's, or the offsets
                do not fit the memory.
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """
        if visual is None:
            self._check_length(len(ids), max_new_tokens)
            return assemble([ids.before], self._embed_ids)
        pieces = self._layout.lay_out(ids, visual)
        self._check_length(num_tokens(pieces), max_new_tokens)
        for tokens in (visual.memory, visual.tokens):
            if tokens.shape[1:] != (self._info.token_width,):
                raise SettingError(
                    f"visual tokens are {list(tokens.shape)}; allowed is [count, {self._info.token_width}]"
                )
        return assemble(pieces, self._embed_ids, visual.memory_offsets, self._layout.grid(visual))

    def count(self, ids: PromptIds, num_memory_tokens: int, num_visual_tokens: int, like: VisualInput | None) -> int:
        """Exact length of a prompt that shows so many tokens.

        Args:
            ids: text around them.
            num_memory_tokens: in front.
            num_visual_tokens: of the clip.
            like: grid and times of the frames; None for a clip of the model's own size.
        """
        memory, tokens = torch.empty(num_memory_tokens, 0), torch.empty(num_visual_tokens, 0)
        counted = VisualInput(memory, tokens) if like is None else replace(like, memory=memory, tokens=tokens)
        return num_tokens(self._layout.lay_out(ids, counted))

    def max_memory_tokens(
        self, ids: PromptIds, num_visual_tokens: int, max_new_tokens: int, like: VisualInput | None
    ) -> int:
        """Memory tokens that still fit before a clip, 0 or more."""
        room = self._info.context_window_tokens - max_new_tokens
        most = room - (self.count(ids, 1, num_visual_tokens, like) - 1)
        if most < 1 or self.count(ids, most, num_visual_tokens, like) <= room:
            return max(0, most)
        # Text around the memory grows with it.
        lengths = range(most + 1)
        return bisect_right(lengths, room, key=lambda num: self.count(ids, num, num_visual_tokens, like)) - 1

    def _check_length(self, length: int, max_new_tokens: int) -> None:
        window = self._info.context_window_tokens
        if max_new_tokens < 1:
            raise SettingError(f"max_new_tokens is {max_new_tokens}; allowed are 1 and more")
        if length + max_new_tokens > window:
            raise PromptTooLongError(
                f"the prompt has {length} tokens and the reply up to {max_new_tokens}, "
                f"but the model's window is {window} tokens"
            )
