"""Stage 1: the decoder learns lookup on random words: "what came after these two?"

Answering from a journal is lookup. On journals alone a small decoder takes hours to learn it, since it can guess much
of an answer; random words cannot be guessed.
"""

import random

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.tokenizer import SPECIAL_TOKENS, build_tokenizer
from training.initialisation import new_model
from training.loop import LoopSettings, StepFunction, run_stage
from training.packing import Branch, Packed, run_packed

TOKENS_A_STEP = 2400
BRANCHES = 6
REPLY_TOKENS = 8
LENGTHENING = ((0, 16, 32), (150, 24, 60), (250, 32, 120))
"""Minimum and maximum row length by step."""


def random_row(rng: random.Random, vocabulary_size: int, length: int) -> Packed:
    """A row of random words, with branches that repeat two neighbours of the row and continue as it does."""
    first_word = len(SPECIAL_TOKENS)
    row = tuple(rng.randrange(first_word, vocabulary_size) for _ in range(length))
    branches = []
    for _ in range(BRANCHES):
        start = rng.randrange(length - REPLY_TOKENS - 2)
        reply = start + 2
        branches.append(Branch(row[start:reply], row[reply : reply + REPLY_TOKENS]))
    return Packed(row, tuple(branches))


def copying_step(model: LlavaOnevisionForConditionalGeneration) -> StepFunction:
    """Step function of the stage."""
    vocabulary_size = len(build_tokenizer())

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        _, fewest, most = max(rule for rule in LENGTHENING if number >= rule[0])
        length = rng.randint(fewest, most)
        rows = TOKENS_A_STEP // (length + BRANCHES * (REPLY_TOKENS + 2))
        outcome = run_packed(model, [random_row(rng, vocabulary_size, length) for _ in range(rows)], pad_id=0)
        return outcome.loss, {"right": float(outcome.branch_right.float().mean())}

    return step


def train_copying(settings: LoopSettings) -> int:
    """Run or resume the stage; returns the number of steps done."""
    model = new_model(settings.seed)
    modules = torch.nn.ModuleDict({"model": model})
    words = model.get_input_embeddings().weight  # random targets would only add noise to them
    trained = [weight for weight in model.model.language_model.parameters() if weight is not words]
    return run_stage(settings, modules, trained, copying_step(model))
