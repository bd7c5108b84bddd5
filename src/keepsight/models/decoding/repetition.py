"""Repetition penalty: logits of tokens that were there before are lowered (CTRL, arXiv 1909.05858).

Qwen2.5-VL is published with a penalty of 1.05. As in transformers, a token of prompt or reply counts once, however
often it was there; a positive logit is divided by the penalty, a negative one multiplied. Visual tokens do not count.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from keepsight.errors import ModelError
from keepsight.models.decoding.language_model import PromptBatch
from keepsight.models.published_files import LEAST_PENALTY, MOST_PENALTY, is_penalty

NOT_FOLLOWED = (
    "no_repeat_ngram_size",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "min_new_tokens",
    "min_length",
    "exponential_decay_length_penalty",
    "encoder_repetition_penalty",
    "encoder_no_repeat_ngram_size",
    "guidance_scale",
)
"""Settings of generation_config.json that change greedy replies and are not followed; no known checkpoint has them."""

_NEUTRAL = (None, 0, 1.0)


def published_penalty(generation_config: Any) -> float:
    """Repetition penalty of a checkpoint's generation_config.json; 1, which changes nothing, if it has none.

    Raises:
        ModelError: it is out of range, as where config.json sets it.
    """
    penalty = generation_config.repetition_penalty
    if penalty is None:
        return 1.0
    if not is_penalty(penalty):
        raise ModelError(
            f"repetition_penalty of the checkpoint must be a number from {LEAST_PENALTY:g} to {MOST_PENALTY:g}, "
            f"got {penalty!r}; correct it in its generation_config.json or config.json"
        )
    return float(penalty)


def not_followed(generation_config: Any) -> tuple[str, ...]:
    """Names of those of `NOT_FOLLOWED` that a checkpoint sets, and of beam search."""
    names = [name for name in NOT_FOLLOWED if getattr(generation_config, name, None) not in _NEUTRAL]
    num_beams = getattr(generation_config, "num_beams", None)
    return tuple(names if num_beams in (None, 1) else [*names, "num_beams"])


class SeenTokens:
    """Tokens of prompts and of their replies so far.

    Args:
        batch: the prompts.
        num_logits: size of the vocabulary.
        penalty: 0.01 to 100; above 1 against repetition.
    """

    def __init__(self, batch: PromptBatch, num_logits: int, penalty: float) -> None:
        ids = batch.ids if batch.mask is None else batch.ids.masked_fill(batch.mask == 0, -1)
        # Ids without a logit of their own go to a column that is cut off.
        ids = torch.where((ids >= 0) & (ids < num_logits), ids, num_logits)
        seen = torch.zeros(len(batch), num_logits + 1, dtype=torch.bool, device=ids.device)
        self._seen = seen.scatter_(1, ids, True)[:, :num_logits]
        self._penalty = penalty

    def add(self, row: int, ids: Sequence[int]) -> None:
        """Count new tokens of a reply."""
        self._seen[row, list(ids)] = True

    def factors(self, ids: Tensor) -> Tensor:
        """Penalty of each logit after each fed token.

        Args:
            ids: int64 `[batch, num_tokens]`, the last counted token of each reply, and drafts after it.

        Returns:
            float32 `[batch, num_tokens, num_logits]`, 1 for tokens that were not there before.
        """
        seen = self._seen.unsqueeze(1)
        if ids.shape[1] > 1:
            seen = seen.repeat(1, ids.shape[1], 1)
            for place in range(1, ids.shape[1]):  # a draft has those before it
                drafted = ids[:, place, None, None].expand(-1, ids.shape[1] - place, 1)
                seen[:, place:].scatter_(2, drafted, True)
        return torch.where(seen, self._penalty, 1.0)


def penalised(logits: Tensor, factors: Tensor | None) -> Tensor:
    """Logits with the penalty, float32 as in transformers; unchanged without factors."""
    if factors is None:
        return logits
    wide = logits.float()
    return torch.where(wide < 0, wide * factors, wide / factors)
