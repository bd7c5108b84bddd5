"""Decoder passes after the prompts: tokens are fed back, and rejected drafts taken back."""

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from keepsight.models.decoding.attention_rows import RowRule
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.repetition import penalised
from keepsight.models.finite import greedy_ids

if TYPE_CHECKING:
    from transformers import Cache


class Passes(Protocol):
    """Feeds tokens to a decoder that has read its prompts."""

    def feed(self, ids: Tensor, rule: RowRule | None, factors: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """One pass.

        Args:
            ids: int64 `[batch, num_tokens]`, the next tokens of each reply.
            rule: which attention rows to capture, if any.
            factors: `[batch, num_tokens, vocabulary]`, repetition penalty of each logit (`repetition.penalised`).

        Returns:
            The most likely next token after each (`finite.greedy_ids`), int64 `[batch, num_tokens]`, and the rows,
            float32 `[batch, num_tokens, num_columns]`.
        """

    def take_back(self, num_tokens: int) -> None:
        """Remove the last fed tokens."""

    def release(self) -> None:
        """Release resources; no more tokens will be fed."""


class GrowingPasses:
    """Passes over a growing cache.

    Args:
        model: the language model.
        batch: prompts in the cache.
        cache: cache to extend.
    """

    def __init__(self, model: LanguageModel, batch: PromptBatch, cache: "Cache") -> None:
        self._model, self._batch, self._cache = model, batch, cache
        self._mask = batch.mask
        self._num_fed = 0

    @torch.inference_mode()
    def feed(self, ids: Tensor, rule: RowRule | None, factors: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        num_tokens = ids.shape[1]
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._batch), num_tokens)], dim=1)
        positions = next_positions(self._batch, self._num_fed, num_tokens)
        self._num_fed += num_tokens
        logits, rows = self._model.step(ids, self._cache, self._mask, positions, rule)
        return greedy_ids(penalised(logits, factors)), rows

    def take_back(self, num_tokens: int) -> None:
        cache: Any = self._cache
        cache.crop(-num_tokens)
        self._num_fed -= num_tokens
        if self._mask is not None:
            self._mask = self._mask[:, :-num_tokens]

    def release(self) -> None: ...


def next_positions(batch: PromptBatch, num_fed: int, num_tokens: int) -> Tensor | None:
    """Positions of the next tokens, `[axes, batch, num_tokens]`; None if they continue 0, 1, 2 ...

    Args:
        batch: the prompts.
        num_fed: tokens fed so far.
        num_tokens: tokens fed next.
    """
    if batch.positions is None:
        return None
    after = torch.arange(num_fed, num_fed + num_tokens, device=batch.next_positions.device)
    return (batch.next_positions.unsqueeze(1) + after).expand(len(batch.positions), -1, -1)
