"""The language model inside a video model, called with embeddings: prompts in, logits of the next token out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from keepsight.models.decoding.attention_rows import RowRule, StepRows
from keepsight.models.decoding.kv_cache import roomy_cache
from keepsight.models.prompting.layout import Prompt


@dataclass(frozen=True, eq=False)
class PromptBatch:
    """Prompts side by side, padded on the left, so that all end in the same column.

    Attributes:
        embeds: `[batch, length, dim]`.
        mask: int64 `[batch, length]`, 0 where there is padding; None where there is none and positions are 0, 1, 2 ...
        positions: int64 `[axes, batch, length]`; None for 0, 1, 2 ...
        next_positions: int64 `[batch]`, position of the first token after each prompt.
        clip_columns: for each prompt, where its clip's own tokens stand in the padded sequence.
        is_visual: bool `[batch, length]`, where memory and frames stand.
        deepstack: `[levels, batch, length, dim]`, or None.
    """

    embeds: Tensor
    mask: Tensor | None
    positions: Tensor | None
    next_positions: Tensor
    clip_columns: tuple[Tensor, ...]
    is_visual: Tensor
    deepstack: Tensor | None

    @classmethod
    def of(cls, prompts: Sequence[Prompt]) -> "PromptBatch":
        """Prompts of any lengths, at least one."""
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
            deepstack=deepstack,
        )

    def __len__(self) -> int:
        return len(self.embeds)


class LanguageModel:
    """Decoder and head, sharing the video model's weights.

    Args:
        model: a transformers model with `get_decoder()` and output embeddings.
    """

    def __init__(self, model: Any) -> None:
        self.decoder = model.get_decoder()
        self.embedding = model.get_input_embeddings()
        self.head = model.get_output_embeddings()

    @property
    def device(self) -> torch.device:
        """Where token ids are wanted."""
        device: torch.device = self.embedding.weight.device
        return device

    def embed_ids(self, ids: Sequence[int]) -> Tensor:
        """Input embeddings of token ids, `[len(ids), dim]`."""
        embeddings: Tensor = self.embedding(torch.tensor(ids, dtype=torch.int64, device=self.device))
        return embeddings

    @torch.inference_mode()
    def read(self, batch: PromptBatch, num_more: int, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """Take prompts in; logits are made for the last position only.

        Args:
            batch: prompts.
            num_more: tokens for which the keys and values have room afterwards.
            cache: what stands before the prompt already, if anything; it is added to.

        Returns:
            Logits `[batch, vocabulary]` of what comes next, and the keys and values.
        """
        cache = roomy_cache(self.decoder.config, num_more) if cache is None else cache
        reply = self.decoder(
            inputs_embeds=batch.embeds,
            attention_mask=self.masks(batch.embeds, batch.mask, cache, batch.is_visual),
            past_key_values=cache,
            use_cache=True,
            **_given(position_ids=_axes(batch.positions)),
            **self.visual_features(batch),
        )
        return self._logits(reply.last_hidden_state[:, -1]), cache

    def step(
        self, ids: Tensor, cache: Cache, mask: Tensor | None, positions: Tensor | None, rule: RowRule | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Feed tokens back. The caller says that no gradients are wanted, as compiled code needs its own way of it.

        Args:
            ids: int64 `[batch, num_tokens]`.
            cache: of all before; it is added to.
            mask: int64 `[batch, all tokens so far]`, or bool `[batch, 1, num_tokens, columns]`, or None.
            positions: int64 `[axes, batch, num_tokens]`, or None.
            rule: which attention rows of these tokens are wanted, if any.

        Returns:
            Logits `[batch, num_tokens, vocabulary]`, and the rows' sum over layers, float32
            `[batch, num_tokens, num_columns]`, where they are wanted.
        """
        embeds = self.embedding(ids)
        rows = None if rule is None else StepRows(rule)
        reply = self.decoder(
            inputs_embeds=embeds,
            attention_mask=self.masks(embeds, mask, cache),
            past_key_values=cache,
            use_cache=True,
            **_given(position_ids=_axes(positions), score_rows=rows),
        )
        return self._logits(reply.last_hidden_state), None if rows is None else rows.weights

    def masks(self, embeds: Tensor, mask: Tensor | None, cache: Cache | None, is_visual: Tensor | None = None) -> Any:
        """What the decoder takes as its attention mask; an architecture whose mask is not causal has its own.

        Args:
            embeds: `[batch, num_tokens, dim]`, about to be read.
            mask: int64 `[batch, all tokens so far]`, or None.
            cache: of all before.
            is_visual: bool `[batch, num_tokens]`, where memory and frames stand; None for generated text.
        """
        del embeds, cache, is_visual
        return mask

    def visual_features(self, batch: PromptBatch) -> Mapping[str, Any]:
        """Arguments of the decoder for DeepStack: features for every position, zero where there is text."""
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
    """The tensor with zeros in front up to a length along one axis."""
    missing = length - tensor.shape[dim]
    if missing == 0:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)


def _axes(positions: Tensor | None) -> Tensor | None:
    """Positions of one axis without the axis, as transformers takes them."""
    return positions[0] if positions is not None and positions.shape[0] == 1 else positions


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}
