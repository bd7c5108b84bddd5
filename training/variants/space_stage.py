"""Training a `space` variant: a bundled model learns to answer where something was, from kept tokens alone.

As in `stage`, tower and projector stay as they are, and the variants of one model see the same stories, clips, kept
tokens and questions in the same order. They differ in the positions of the kept tokens.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from training.encoded_stories import StoryPool, random_memory
from training.loop import LoopSettings, StepFunction, run_stage
from training.muon import Optimizers, muon_and_adamw
from training.packing import run_packed
from training.reading import Reader
from training.reading_batches import by_task, reading_batch
from training.variants.space import SPACE_VARIANTS, SpaceVariant, positioned, space_batch
from training.variants.space_held_out import SpaceHeldOut, held_out_rules, space_figures
from training.variants.stage import (
    EVALUATE_EVERY,
    GLIMPSE_FRAMES,
    LONGEST_JOURNAL,
    POOL_STORIES,
    bundled_model,
    memory_batch,
)
from training.watching import short_items
from training.watching_stage import TOKENS_A_STEP

NUM_STORIES = 100
"""Held-out stories."""


def space_step(
    reader: Reader,
    model: Any,
    pool: StoryPool,
    variant: SpaceVariant,
    evaluate: Callable[[int], Mapping[str, float]],
) -> StepFunction:
    """A step of one of the variant's kinds, drawn by their shares.

    Args:
        reader: of the model's prompts.
        model: the model to train.
        pool: stories.
        variant: what to train with.
        evaluate: figures before a step, for the log, by its number.
    """

    rule = positioned(random_memory, variant.positions)

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        figures = dict(evaluate(number))
        (kind,) = rng.choices(list(variant.shares), list(variant.shares.values()))
        if kind == "reading":
            sequences, tasks = reading_batch(reader, rng, LONGEST_JOURNAL)
        elif kind == "glimpses":
            frames = rng.choice(GLIMPSE_FRAMES)
            items = short_items(reader, model, frames, TOKENS_A_STEP // (80 + 9 * frames), rng)
            sequences, tasks = [item for item, _ in items], [task for _, own in items for task in own]
        elif kind == "memory":
            sequences, tasks = memory_batch(reader, model, pool, rule, rng)
        else:
            sequences, tasks = space_batch(
                reader, model, pool, rule if kind == "kept" else None, rng, variant.tokens_a_step
            )
            tasks = [f"{kind}, {task}" for task in tasks]
        outcome = run_packed(model, sequences, reader.tokenizer.pad_token_id)
        figures |= by_task(outcome.branch_right, tasks) | {f"{kind} loss": float(outcome.loss.detach())}
        return outcome.loss, figures

    return step


def train_space(settings: LoopSettings, name: str) -> int:
    """Train or resume a variant of `SPACE_VARIANTS`; returns the steps done. Checkpoints hold the decoder."""
    variant = SPACE_VARIANTS[name]
    model, reader = bundled_model(variant.bundled), Reader(variant.architecture.tokenizer())
    decoder = model.model.language_model
    pool, held_out = StoryPool(model, POOL_STORIES), SpaceHeldOut.make(reader, model, NUM_STORIES)
    rules = held_out_rules(variant.positions)

    def evaluate(number: int) -> Mapping[str, float]:
        if number % EVALUATE_EVERY and number + 1 < settings.num_steps:
            return {}
        started = time.process_time()
        figures = space_figures(reader, model, held_out, rules)
        return {**figures, "evaluation CPU seconds": time.process_time() - started}

    def optimize(_: Iterable[Tensor], rate: float) -> Optimizers:
        return muon_and_adamw(decoder.parameters(), rate)

    modules = nn.ModuleDict({"decoder": decoder})
    step = space_step(reader, model, pool, variant, evaluate)
    return run_stage(settings, modules, modules.parameters(), step, optimize)
