"""Many questions after one context in one sequence, equivalent to asking each alone.

A `Packed` sequence is a shared prefix and branches. A branch attends to the prefix and itself, never to another branch,
and its positions continue from the prefix. One forward pass then trains as much as one pass per question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.inner_labels import InnerLabel


@dataclass(frozen=True)
class Branch:
    """A prompt after the shared prefix, and the reply to learn.

    `labels` are dense labels of tokens of both, counted from the prompt's first.
    """

    prompt_ids: tuple[int, ...]
    reply_ids: tuple[int, ...]
    labels: tuple[InnerLabel, ...] = ()

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.reply_ids)


@dataclass(frozen=True)
class Packed:
    """A prefix of token ids and its branches.

    Attributes:
        prefix_ids: token ids; `visual_start` to `visual_start + num_visual` are placeholders for visual embeddings.
        branches: at least one.
        visual: embeddings `[num_visual, dim]` for the placeholders, or None.
        visual_start: index of the first placeholder.
        labels: dense labels at positions of the prefix.
        positions: positions of the prefix's tokens, `[axes, len(prefix_ids)]` on one axis or three; None to count them
            from 0.
        bias: `[n]`, added to the logit of all attention on the first `n` visual embeddings; None for none.
    """

    prefix_ids: tuple[int, ...]
    branches: tuple[Branch, ...]
    visual: Tensor | None = None
    visual_start: int = 0
    labels: tuple[InnerLabel, ...] = ()
    positions: Tensor | None = None
    bias: Tensor | None = None

    def __len__(self) -> int:
        return len(self.prefix_ids) + sum(map(len, self.branches))


@dataclass(frozen=True)
class PackedBatch:
    """Tensors of several packed sequences, padded at the end.

    Attributes:
        input_ids: `[batch, length]`.
        position_ids: `[batch, length]`, or `[3, batch, length]` for prefixes with positions on three axes.
        attention_mask: bool `[batch, 1, length, length]`, True where a row may attend.
        predict_from: `[num_targets, 2]`, batch row and position whose output predicts each target.
        targets: `[num_targets]` token ids.
        target_branch: `[num_targets]`, running number of each target's branch.
    """

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    predict_from: Tensor
    targets: Tensor
    target_branch: Tensor


def collate(sequences: Sequence[Packed], pad_id: int) -> PackedBatch:
    """Collate packed sequences into one batch."""
    length = max(len(sequence) for sequence in sequences)
    shape = (len(sequences), length)
    input_ids = torch.full(shape, pad_id)
    position_ids = torch.zeros((3, *shape), dtype=torch.long)
    group = torch.full(shape, -1)  # 0 for the prefix, then a number per branch, -1 for padding
    predict_from: list[tuple[int, int]] = []
    targets: list[int] = []
    target_branch: list[int] = []
    branch_number = 0
    for row, sequence in enumerate(sequences):
        at = len(sequence.prefix_ids)
        input_ids[row, :at] = torch.tensor(sequence.prefix_ids)
        before = torch.arange(at) if sequence.positions is None else sequence.positions
        position_ids[:, row, :at] = before
        behind = int(before.max()) + 1
        group[row, :at] = 0
        for number, branch in enumerate(sequence.branches, start=1):
            ids = branch.prompt_ids + branch.reply_ids
            end = at + len(ids)
            input_ids[row, at:end] = torch.tensor(ids)
            position_ids[:, row, at:end] = behind + torch.arange(len(ids))
            group[row, at:end] = number
            first = at + len(branch.prompt_ids)
            predict_from += [(row, position - 1) for position in range(first, end)]
            targets += branch.reply_ids
            target_branch += [branch_number] * len(branch.reply_ids)
            at, branch_number = end, branch_number + 1
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = group.unsqueeze(2) == group.unsqueeze(1)
    prefix = (group == 0).unsqueeze(1)
    mask = (causal & (same | prefix)).unsqueeze(1)
    if all(sequence.positions is None or len(sequence.positions) == 1 for sequence in sequences):
        position_ids = position_ids[0]
    return PackedBatch(
        input_ids, position_ids, mask, torch.tensor(predict_from), torch.tensor(targets), torch.tensor(target_branch)
    )


@dataclass(frozen=True)
class Outcome:
    """Loss, correctness under teacher forcing of whole replies and of each target, and states after each layer."""

    loss: Tensor
    branch_right: Tensor
    target_right: Tensor
    states: tuple[Tensor, ...]


def packed_embeddings(model: Any, sequences: Sequence[Packed], pad_id: int) -> tuple[PackedBatch, Tensor]:
    """Batch of packed sequences and its input embeddings `[batch, length, dim]`, visual tokens included."""
    batch = collate(sequences, pad_id)
    embeds: Tensor = model.get_input_embeddings()(batch.input_ids).clone()
    for row, sequence in enumerate(sequences):
        if sequence.visual is not None:
            start = sequence.visual_start
            embeds[row, start : start + len(sequence.visual)] = sequence.visual.to(embeds.dtype)
    return batch, embeds


def run_packed(model: Any, sequences: Sequence[Packed], pad_id: int) -> Outcome:
    """Run a model's decoder over packed sequences; computes the mean loss of their replies."""
    batch, embeds = packed_embeddings(model, sequences, pad_id)
    outputs = model.model.language_model(
        inputs_embeds=embeds,
        attention_mask=biased_mask(batch.attention_mask, sequences),
        position_ids=batch.position_ids,
        use_cache=False,
        output_hidden_states=True,
    )
    hidden = outputs.last_hidden_state
    picked = hidden[batch.predict_from[:, 0], batch.predict_from[:, 1]]
    logits = model.lm_head(picked).float()
    loss = torch.nn.functional.cross_entropy(logits, batch.targets)
    wrong = logits.detach().argmax(-1) != batch.targets
    num_branches = int(batch.target_branch[-1]) + 1
    branch_wrong = torch.zeros(num_branches).index_add(0, batch.target_branch, wrong.float())
    return Outcome(loss, branch_wrong == 0, ~wrong, outputs.hidden_states)


def biased_mask(mask: Tensor, sequences: Sequence[Packed]) -> Tensor:
    """Mask `[batch, 1, length, length]` with the biases of the sequences: bool without any, else float to be added."""
    if all(sequence.bias is None for sequence in sequences):
        return mask
    columns = torch.zeros(len(sequences), mask.shape[-1])
    rows = []
    for row, sequence in zip(columns, sequences, strict=True):
        bias = row[:0] if sequence.bias is None else sequence.bias
        behind = len(row) - sequence.visual_start - len(bias)
        rows.append(torch.cat([row[: sequence.visual_start], bias, row.new_zeros(behind)]))
    return torch.where(mask, 0.0, -torch.inf) + torch.stack(rows)[:, None, None]
