"""The language model inside a video model, called with embeddings: prompts in, logits of the next token out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from keepsight.models.decoding.attention_rows import RowRule, StepRows
from keepsight.models.finite import check_finite
from keepsight.models.prompting.layout import Prompt

if TYPE_CHECKING:
    from transformers import Cache


@dataclass(frozen=True, eq=False)
class PromptBatch:
    """Prompts in a batch, left-padded so that all end in the same column.

    Attributes:
        embeds: `[batch, length, dim]`.
        mask: int64 `[batch, length]`, 0 for padding; None without padding and with positions 0, 1, 2 ...
        positions: int64 `[axes, batch, length]`; None for 0, 1, 2 ...
        next_positions: int64 `[batch]`, position of the first token after each prompt.
        clip_columns: per prompt, columns of its clip's own tokens in the padded sequence.
        is_visual: bool `[batch, length]`, True for memory and frames.
        ids: int64 `[batch, length]`, token ids; -1 where there is no token.
        deepstack: `[levels, batch, length, dim]`, or None.
    """

    embeds: Tensor
    mask: Tensor | None
    positions: Tensor | None
    next_positions: Tensor
    clip_columns: tuple[Tensor, ...]
    is_visual: Tensor
    ids: Tensor
    deepstack: Tensor | None

    @classmethod
    def of(cls, prompts: Sequence[Prompt]) -> "PromptBatch":
        """Batch of prompts of any lengths, at least one."""
        device = prompts[0].embeds.device
        length = max(len(prompt) for prompt in prompts)
        padding = [length - len(prompt) for prompt in prompts]
        plain = all(prompt.positions is None for prompt in prompts)
        positions = mask = None
        if not plain or any(padding):
            own = [_running(prompt) if prompt.positions is None else prompt.positions for prompt in prompts]
            rows = [_pad_left(one, length, dim=1) for one in own]
            positions = torch.stack(rows, dim=1).to(device)
            mask = torch.stack([torch.arange(length) >= pad for pad in padding]).long().to(device)
        deepstack = None
        if prompts[0].deepstack is not None:
            levels = [prompt.deepstack for prompt in prompts if prompt.deepstack is not None]
            deepstack = torch.stack([_pad_left(one, length, dim=1) for one in levels], dim=1)
        return cls(
            embeds=torch.stack([_pad_left(prompt.embeds, length, dim=0) for prompt in prompts]),
            mask=mask,
            positions=positions,
            next_positions=torch.tensor([prompt.next_position for prompt in prompts], device=device),
            clip_columns=tuple(one.clip_columns + pad for one, pad in zip(prompts, padding, strict=True)),
            is_visual=torch.stack([_pad_left(prompt.is_visual, length, dim=0) for prompt in prompts]),
            ids=torch.stack([_pad_left(prompt.ids, length, dim=0) for prompt in prompts]),
            deepstack=deepstack,
        )

    def __len__(self) -> int:
        return len(self.embeds)


class LanguageModel:
    """Decoder and head, sharing the video model's weights.

    Args:
        model: a transformers model with `get_decoder()` and output embeddings.

    Attributes:
        repetition_penalty: penalty of tokens that were there before, see `repetition`; 1 for none.
    """

    def __init__(self, model: Any) -> None:
        self.decoder = model.get_decoder()
        self.embedding = model.get_input_embeddings()
        self.head = model.get_output_embeddings()
        self.repetition_penalty = 1.0

    @property
    def device(self) -> torch.device:
        """Device for token ids."""
        device: torch.device = self.embedding.weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights, those of quantised layers apart."""
        dtype: torch.dtype = self.embedding.weight.dtype
        return dtype

    def embed_ids(self, ids: Sequence[int]) -> Tensor:
        """Input embeddings of token ids, `[len(ids), dim]`."""
        embeddings: Tensor = self.embedding(torch.tensor(ids, dtype=torch.int64, device=self.device))
        return embeddings

    @torch.inference_mode()
    def mean_embedding(self, ids: Sequence[int]) -> Tensor:
        """Mean input embedding of token ids, float32 `[dim]` on the CPU; zeros without ids.

        Raises:
            ModelError: it is NaN or infinite.
        """
        if not ids:
            return torch.zeros(self.embedding.weight.shape[1])
        return check_finite(self.embed_ids(ids).float().mean(dim=0).cpu(), "text embeddings", self.dtype)

    @torch.inference_mode()
    def read(self, batch: PromptBatch, num_more: int, cache: "Cache | None" = None) -> tuple[Tensor, "Cache"]:
        """Read prompts; computes logits for the last position only.

        Args:
            batch: prompts.
            num_more: tokens to reserve in the cache.
            cache: cache to extend, if any.

        Returns:
            Logits `[batch, vocabulary]` of the next token, and the cache.
        """
        if cache is None:
            from keepsight.models.decoding.kv_cache import roomy_cache

            cache = roomy_cache(self.decoder.config, num_more)
        reply = self.decoder(
            inputs_embeds=batch.embeds,
            attention_mask=self.masks(batch.embeds, batch.mask, cache, batch.is_visual),
            past_key_values=cache,
            use_cache=True,
            **_given(position_ids=_axes(batch.positions)),
            **self.token_inputs(batch.ids),
            **self.visual_features(batch),
        )
        return self._logits(reply.last_hidden_state[:, -1]), cache

    def step(
        self, ids: Tensor, cache: "Cache", mask: Tensor | None, positions: Tensor | None, rule: RowRule | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Feed tokens back. The caller disables gradients, since compiled code needs its own way.

        Args:
            ids: int64 `[batch, num_tokens]`.
            cache: cache to extend.
            mask: int64 `[batch, all tokens so far]`, or bool `[batch, 1, num_tokens, columns]`, or None.
            positions: int64 `[axes, batch, num_tokens]`, or None.
            rule: which attention rows to capture, if any.

        Returns:
            Logits `[batch, num_tokens, vocabulary]`, and rows summed over layers, float32 `[batch, num_tokens,
                num_columns]`, if requested.
        """
        embeds = self.embedding(ids)
        rows = None if rule is None else StepRows(rule)
        reply = self.decoder(
            inputs_embeds=embeds,
            attention_mask=self.masks(embeds, mask, cache),
            past_key_values=cache,
            use_cache=True,
            **_given(position_ids=_axes(positions), score_rows=rows),
            **self.token_inputs(ids),
        )
        weights = None if rows is None or rows.weights is None else rows.weights.to(embeds.device)
        return self._logits(reply.last_hidden_state), weights

    def masks(self, embeds: Tensor, mask: Tensor | None, cache: "Cache | None", is_visual: Tensor | None = None) -> Any:
        """Attention mask argument of the decoder; overridden by architectures with non-causal masks.

        Args:
            embeds: `[batch, num_tokens, dim]`, inputs of the pass.
            mask: int64 `[batch, all tokens so far]`, or None.
            cache: cache before the pass.
            is_visual: bool `[batch, num_tokens]`, True for memory and frames; None for generated text.
        """
        del embeds, cache, is_visual
        return mask

    def token_inputs(self, ids: Tensor) -> Mapping[str, Any]:
        """Arguments of the decoder that depend on token ids besides the embeddings; overridden by architectures that
        have any.

        Args:
            ids: int64 `[batch, num_tokens]`, inputs of the pass; -1 where there is no token.
        """
        del ids
        return {}

    def visual_features(self, batch: PromptBatch) -> Mapping[str, Any]:
        """DeepStack arguments of the decoder: features per position, zero for text."""
        if batch.deepstack is None:
            return {}
        everywhere = torch.ones(batch.embeds.shape[:2], dtype=torch.bool, device=batch.embeds.device)
        return {
            "visual_pos_masks": everywhere,
            "deepstack_visual_embeds": [level.flatten(0, 1) for level in batch.deepstack],
        }

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.head(states)
        return logits


def _running(prompt: Prompt) -> Tensor:
    return torch.arange(len(prompt)).unsqueeze(0)


def _pad_left(tensor: Tensor, length: int, dim: int) -> Tensor:
    """Tensor padded with leading zeros to a length along one axis."""
    missing = length - tensor.shape[dim]
    if missing == 0:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)


def _axes(positions: Tensor | None) -> Tensor | None:
    """Positions without a singleton axis, as transformers expects."""
    return positions[0] if positions is not None and positions.shape[0] == 1 else positions


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}
