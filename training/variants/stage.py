"""Training a variant: the bundled `tiny` goes on learning to watch, with memory filled by one rule.

Tower, projector and newline stay as they are; only the decoder, and in `learned` the selecting head, changes. All
variants see the same stories, clips and questions in the same order. Dense labels (`inner_heads`) are not used: their
heads were discarded with the bundled model.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from keepsight.errors import SettingError
from keepsight.method.selection.base import DEFAULT_RETENTION
from keepsight.models.registry import BUNDLED
from training.architecture import LLAVA_ONEVISION
from training.blueprint import MODEL_DIM
from training.encoded_stories import MemoryRule, StoryPool
from training.loop import LoopSettings, StepFunction, run_stage
from training.muon import Optimizers, adamw, muon_and_adamw
from training.packing import Packed, run_packed
from training.reading import Reader
from training.reading_batches import by_task, reading_batch
from training.variants.attention import MEMORY_CLIPS, ScoredPool, prepare
from training.variants.held_out import HeldOut, held_out_figures
from training.variants.learning import exploring, head_of, learned_memory
from training.variants.rules import LEARNED, RULES, VARIANTS, with_own_numbers
from training.watching import clip_item, live_item, short_items
from training.watching_stage import RENEWED_SHARE, TOKENS_A_STEP

STAGE = "variant"
READING_SHARE, GLIMPSE_SHARE = 0.2, 0.1
"""Shares of steps that read journals, and that show a few frames without memory; the others are clips with memory."""
GLIMPSE_FRAMES = (4, 8, 16)
LONGEST_JOURNAL = 20
POOL_STORIES = 60
"""Fewer than in the recipe, so that what attention once chose is soon replaced."""
EVALUATE_EVERY, NUM_HELD_OUT = 100, 60
HEAD_RATE = 3e-3


def bundled_model(name: str = "tiny") -> Any:
    """A bundled model in float32, with a decoder to train; the same for every variant."""
    folder = next(one.folder for one in BUNDLED if one.name == name)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    model.requires_grad_(False)
    model.model.language_model.requires_grad_(True)
    prepare(model)
    return model


def memory_batch(
    reader: Reader, model: Any, pool: StoryPool, rule: MemoryRule, rng: random.Random
) -> tuple[list[Packed], list[str]]:
    """Clips of different stories after memories of about equal length, and one live item; see `clip_batch`.

    The memory has the paper's share of tokens, filled by the rule.
    """
    if rng.random() < RENEWED_SHARE:
        pool.renew(rng)
    reach = MEMORY_CLIPS if rng.random() < 0.7 else rng.randint(0, MEMORY_CLIPS)
    own = with_own_numbers(rule)
    items: list[tuple[Packed, list[str]]] = []
    while not items or (len(items) + 1) * max(len(item) for item, _ in items) <= TOKENS_A_STEP:
        encoded = pool.draw(rng)
        clip = rng.randrange(min(reach // 2, len(encoded.spans) - 1), len(encoded.spans))
        items.append(clip_item(reader, model, encoded, clip, reach, DEFAULT_RETENTION, rng, own))
    encoded = pool.draw(rng)
    items.append(live_item(reader, model, encoded, rng.randrange(len(encoded.spans)), rng))
    return [item for item, _ in items], [task for _, tasks in items for task in tasks]


def variant_step(
    reader: Reader,
    model: Any,
    pool: StoryPool,
    rule_at: Callable[[int], MemoryRule],
    evaluate: Callable[[int], Mapping[str, float]],
) -> StepFunction:
    """A step of reading, of glimpses, or of clips with memory.

    Args:
        reader: of the model's prompts.
        model: the model to train.
        pool: stories; with scores if the rule needs them.
        rule_at: rule of each step.
        evaluate: figures before a step, for the log.
    """

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        figures = dict(evaluate(number))
        kind = rng.random()
        if kind < READING_SHARE:
            name, (sequences, tasks) = "reading", reading_batch(reader, rng, LONGEST_JOURNAL)
        elif kind < READING_SHARE + GLIMPSE_SHARE:
            frames = rng.choice(GLIMPSE_FRAMES)
            items = short_items(reader, model, frames, TOKENS_A_STEP // (80 + 9 * frames), rng)
            name, sequences = "glimpses", [item for item, _ in items]
            tasks = [task for _, own in items for task in own]
        else:
            name, (sequences, tasks) = "memory", memory_batch(reader, model, pool, rule_at(number), rng)
        outcome = run_packed(model, sequences, reader.tokenizer.pad_token_id)
        figures |= by_task(outcome.branch_right, tasks) | {f"{name} loss": float(outcome.loss.detach())}
        return outcome.loss, figures

    return step


def train_variant(settings: LoopSettings, variant: str) -> int:
    """Train or resume a variant; returns the steps done. Checkpoints hold decoder and head.

    Raises:
        SettingError: no such variant.
    """
    if variant not in VARIANTS:
        raise SettingError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    model, reader = bundled_model(), Reader(LLAVA_ONEVISION.tokenizer())
    decoder = model.model.language_model
    modules = nn.ModuleDict({"decoder": decoder})
    rules = {name: RULES[name] for name in ("events", "uniform", "attention")}
    head = head_of(MODEL_DIM)
    if variant == LEARNED:
        modules["head"] = head
        rule_at, rules[LEARNED] = exploring(head, settings.num_steps), learned_memory(head)
    else:
        rule_at = _always(RULES[variant])
    pool = ScoredPool(reader, model, POOL_STORIES) if variant == "attention" else StoryPool(model, POOL_STORIES)
    held_out = HeldOut.make(model, NUM_HELD_OUT)

    def evaluate(number: int) -> Mapping[str, float]:
        if number % EVALUATE_EVERY and number + 1 < settings.num_steps:
            return {}
        started = time.process_time()
        figures = held_out_figures(reader, model, held_out, rules)
        return {**figures, "evaluation CPU seconds": time.process_time() - started}

    def optimize(_: Iterable[Tensor], rate: float) -> Optimizers:
        own = muon_and_adamw(decoder.parameters(), rate).optimizers
        return Optimizers(*own, *(adamw(head.parameters(), HEAD_RATE).optimizers if variant == LEARNED else ()))

    step = variant_step(reader, model, pool, rule_at, evaluate)
    return run_stage(settings, modules, modules.parameters(), step, optimize)


def _always(rule: MemoryRule) -> Callable[[int], MemoryRule]:
    return lambda _: rule
