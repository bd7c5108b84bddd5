"""Heads that read the dense labels off the middle of the decoder; they are thrown away when training is over."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, rms_norm

from keepsight.toyworld.training.inner_labels import ANSWERS
from keepsight.toyworld.training.packing import Packed

DEPTHS = (3, 4)
"""After how many layers the labels are read, through the same heads: later layers may use what stands there."""
SHARES = {
    "who": 0.5,
    "deed": 1.0,
    "turn": 0.5,
    "content": 0.5,
    "place": 0.3,
    "colour": 0.3,
    "mentions": 0.5,
    "comings": 0.5,
}
"""Share of each kind of label in the loss."""
STAYING_WEIGHT = 0.25
"""Most things do nothing at most times."""


class InnerHeads(nn.ModuleDict):
    """A linear read-out for each kind of label."""

    def __init__(self, dim: int) -> None:
        super().__init__({kind: nn.Linear(dim, len(answers)) for kind, answers in ANSWERS.items()})

    def loss(self, states: Sequence[Tensor], sequences: Sequence[Packed]) -> tuple[Tensor, dict[str, float]]:
        """Weighted cross-entropy over all labels, and how often each kind was right at the last depth.

        Args:
            states: inner states `[batch, length, dim]`, one of each depth.
            sequences: the batch, with their labels.
        """
        total = states[0].new_zeros(())
        figures: dict[str, float] = {}
        for kind, head in self.items():
            rows, positions, answers = _gathered(sequences, kind)
            if not len(answers):
                continue
            weight = torch.ones(len(ANSWERS[kind]))
            if kind == "deed":
                weight[0] = STAYING_WEIGHT
            for state in states:
                logits = head(rms_norm(state[rows, positions], state.shape[-1:]))
                total = total + SHARES[kind] / len(states) * cross_entropy(logits, answers, weight)
            right = (logits.argmax(-1) == answers).float()
            counted = answers > 0 if kind == "deed" else torch.ones_like(answers, dtype=torch.bool)
            if counted.any():
                figures[kind] = float(right[counted].mean())
        return total, figures


def _gathered(sequences: Sequence[Packed], kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, positions and answers of all labels of a kind."""
    found = [
        (row, label.position, label.answer)
        for row, sequence in enumerate(sequences)
        for label in sequence.labels
        if label.kind == kind
    ]
    rows, positions, answers = torch.tensor(found, dtype=torch.long).reshape(-1, 3).unbind(1)
    return rows, positions, answers
