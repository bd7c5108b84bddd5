"""Stage 2: the decoder learns to read a journal and answer questions about it, from text alone."""

import random

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.training.blueprint import build_model
from keepsight.toyworld.training.loop import LoopSettings, StepFunction, checkpoint_path, load_modules, run_stage
from keepsight.toyworld.training.packing import Packed, run_packed
from keepsight.toyworld.training.reading import Reader, journal_item

TOKENS_A_STEP = 3000
LENGTHENING = ((0, 4), (300, 6), (600, 10), (1000, 16), (1500, 22))
"""From which step on journals may be how long: copying from short journals comes first."""


def max_lines(step: int) -> int:
    """Longest journal, in captions, at a step."""
    return max(lines for since, lines in LENGTHENING if step >= since)


def reading_batch(reader: Reader, rng: random.Random, lines: int) -> tuple[list[Packed], list[str]]:
    """Journals of similar length, about `TOKENS_A_STEP` tokens of them, and the kind of each branch."""
    longest = rng.randint(1, lines)
    sequences: list[Packed] = []
    tasks: list[str] = []
    while not sequences or (len(sequences) + 1) * max(map(len, sequences)) <= TOKENS_A_STEP:
        sequence, kinds = journal_item(reader, rng, longest, 14, fewest=max(longest - 2, 1))
        sequences.append(sequence)
        tasks += kinds
    return sequences, tasks


def by_task(right: Tensor, tasks: list[str]) -> dict[str, float]:
    """Share of replies that were right, for each kind of question, and over all."""
    figures = {"right": float(right.float().mean())}
    for task in set(tasks):
        picked = torch.tensor([kind == task for kind in tasks])
        figures[task] = float(right[picked].float().mean())
    return figures


def reading_step(model: LlavaOnevisionForConditionalGeneration, reader: Reader) -> StepFunction:
    """The stage's step over a model."""

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        sequences, tasks = reading_batch(reader, rng, max_lines(number))
        outcome = run_packed(model, sequences, reader.tokenizer.pad_token_id)
        return outcome.loss, by_task(outcome.branch_right, tasks)

    return step


def train_reading(settings: LoopSettings) -> int:
    """Run (or resume) the stage; returns the steps done."""
    model = build_model(settings.seed)
    modules = torch.nn.ModuleDict({"model": model})
    if not checkpoint_path(settings.folder, settings.name).exists():
        load_modules(settings.folder, "copying", modules)
    return run_stage(settings, modules, model.model.language_model.parameters(), reading_step(model, Reader()))
