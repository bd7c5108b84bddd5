"""Batches of reading, and accuracy by kind of question."""

import random

import torch
from torch import Tensor

from training.packing import Packed
from training.reading import Reader, journal_item

TOKENS_A_STEP = 3000


def reading_batch(reader: Reader, rng: random.Random, lines: int) -> tuple[list[Packed], list[str]]:
    """Journals of similar length, about `TOKENS_A_STEP` tokens in all, and the kind of each branch."""
    longest = rng.randint(1, lines)
    sequences: list[Packed] = []
    tasks: list[str] = []
    while not sequences or (len(sequences) + 1) * max(map(len, sequences)) <= TOKENS_A_STEP:
        sequence, kinds = journal_item(reader, rng, longest, 14, fewest=max(longest - 2, 1))
        sequences.append(sequence)
        tasks += kinds
    return sequences, tasks


def by_task(right: Tensor, tasks: list[str]) -> dict[str, float]:
    """Share of correct replies, for each kind of question and overall."""
    figures = {"right": float(right.float().mean())}
    for task in set(tasks):
        picked = torch.tensor([kind == task for kind in tasks])
        figures[task] = float(right[picked].float().mean())
    return figures
