"""Heads that read dense labels from the middle of the decoder; discarded after training."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, rms_norm

from training.inner_labels import ANSWERS
from training.packing import Packed

DEPTHS = (3, 4)
ASKED_DEPTHS = (4, 5)
"""Number of layers before labels are read, for what is seen or told and for what is asked: later layers may use it."""
SHARES = {
    "who": 0.5,
    "deed": 1.0,
    "first deed": 0.5,
    "turn": 0.1,
    "content": 0.7,
    "when": 0.2,
    "place": 0.3,
    "colour": 0.3,
    "mentions": 0.5,
    "comings": 0.5,
    "line": 0.3,
    "first line": 0.5,
    "compared": 1.5,
    "next": 0.5,
    "next deed": 0.5,
}
"""Weight of each kind of label in the loss."""
FREQUENT = {"stays": 0.25, "arrives": 0.7, "leaves": 0.7, "0": 0.5}
RARE_WEIGHT = 2.0
"""Weight of deeds and turns: most things do nothing most of the time, and some deeds are rare."""


class InnerHeads(nn.ModuleDict):
    """A linear read-out per kind of label."""

    def __init__(self, dim: int) -> None:
        super().__init__({kind: nn.Linear(dim, len(answers)) for kind, answers in ANSWERS.items()})

    def loss(self, states: Sequence[Tensor], sequences: Sequence[Packed]) -> tuple[Tensor, dict[str, float]]:
        """Weighted cross-entropy over all labels, and the accuracy of each kind at its last depth.

        Args:
            states: hidden states `[batch, length, dim]`, before the first layer and after each.
            sequences: the batch, with their labels.
        """
        total = states[0].new_zeros(())
        figures: dict[str, float] = {}
        for asked, depths in ((False, DEPTHS), (True, ASKED_DEPTHS)):
            found = _gathered(sequences, asked=asked)
            for kind, places in found.items():
                rows, positions, answers = torch.tensor(places).unbind(1)
                for depth in depths:
                    logits = self[kind](rms_norm(states[depth][rows, positions], states[depth].shape[-1:]))
                    surprise = cross_entropy(logits, answers, _weights(kind))
                    total = total + SHARES[kind] / len(depths) * surprise
                counted = answers > 0 if kind == "deed" else answers >= 0
                if counted.any():
                    name = f"asked {kind}" if asked else kind
                    figures[name] = float((logits.argmax(-1) == answers)[counted].float().mean())
        return total, figures


def _weights(kind: str) -> Tensor:
    if kind in ("deed", "turn"):
        return torch.tensor([FREQUENT.get(answer, RARE_WEIGHT) for answer in ANSWERS[kind]])
    return torch.ones(len(ANSWERS[kind]))


def _gathered(sequences: Sequence[Packed], *, asked: bool) -> dict[str, list[tuple[int, int, int]]]:
    """Row, position and answer of all labels of each kind: of the prefixes, or of the branches."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for row, sequence in enumerate(sequences):
        starts = list(accumulate(map(len, sequence.branches), initial=len(sequence.prefix_ids)))
        parts = (
            zip(starts, (one.labels for one in sequence.branches), strict=False) if asked else [(0, sequence.labels)]
        )
        for start, labels in parts:
            for label in labels:
                found.setdefault(label.kind, []).append((row, start + label.position, label.answer))
    return found
