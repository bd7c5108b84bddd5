"""Stage 4, the longest: the decoder learns to watch, with and without memory, and to read journals."""

import random
from typing import Any

import torch
from torch import Tensor, nn

from training import parallel
from training.architecture import architecture_of
from training.blueprint import MODEL_DIM, build_model
from training.curriculum import FROM_NOTHING, FROM_THE_FIRST, Curriculum
from training.encoded_stories import StoryPool
from training.inner_heads import InnerHeads
from training.listing_heads import put_in_listing_heads
from training.loop import LoopSettings, StepFunction, checkpoint_path, load_modules, run_stage
from training.muon import muon_and_adamw
from training.packing import Packed, run_packed
from training.reading import Reader
from training.reading_batches import by_task, reading_batch
from training.tower_stage import word_vectors
from training.transfer import first_model, take_decoder
from training.watching import RETENTIONS, clip_item, live_item, short_items

POOL_STORIES = 300
RENEWED_SHARE = 0.4
"""Share of clip steps before which the pool gets a new story."""
TOKENS_A_STEP = 2600
INNER_SHARE = 0.4
"""Weight of the dense labels (`inner_heads`) relative to the replies."""


def watching_batch(
    reader: Reader, model: Any, pool: StoryPool, number: int, rng: random.Random, curriculum: Curriculum = FROM_NOTHING
) -> tuple[list[Packed], list[str]]:
    """Glimpses of many stories, or clips of one."""
    share, lengths = curriculum.glimpses(number)
    if rng.random() < share:
        num_frames = rng.choice(lengths)
        num_steps = -(-num_frames // architecture_of(model).frames_per_step)
        items = short_items(reader, model, num_frames, TOKENS_A_STEP // (80 + 9 * num_steps), rng)
    else:
        items = clip_batch(reader, model, pool, curriculum.longest_memory(number), rng)
    return [item for item, _ in items], [task for _, tasks in items for task in tasks]


def clip_batch(
    reader: Reader, model: Any, pool: StoryPool, longest: int, rng: random.Random
) -> list[tuple[Packed, list[str]]]:
    """Clips of different stories after memories of about equal length, and one live item."""
    if rng.random() < RENEWED_SHARE:
        pool.renew(rng)
    reach = longest if rng.random() < 0.7 else rng.randint(0, longest)
    retention = rng.choice(RETENTIONS)
    items: list[tuple[Packed, list[str]]] = []
    while not items or (len(items) + 1) * max(len(item) for item, _ in items) <= TOKENS_A_STEP:
        encoded = pool.draw(rng)
        clip = rng.randrange(min(reach // 2, len(encoded.spans) - 1), len(encoded.spans))
        items.append(clip_item(reader, model, encoded, clip, reach, retention, rng))
    encoded = pool.draw(rng)
    items.append(live_item(reader, model, encoded, rng.randrange(len(encoded.spans)), rng))
    return items


def watching_step(
    model: Any, heads: InnerHeads, reader: Reader, pool: StoryPool, curriculum: Curriculum = FROM_NOTHING
) -> StepFunction:
    """A step of watching or, in between, reading."""
    alone = parallel.num_processes() == 1
    shares = curriculum.reading_shares
    share = sum(shares) / 2 if alone else shares[parallel.rank() % 2]

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        if number == curriculum.listing_step:  # identical in every process: weights and samples are equal
            samples = short_items(reader, model, 2, 20, random.Random(number))
            put_in_listing_heads(model, [sample for sample, _ in samples])
        reads = rng.random() < share
        if reads:
            sequences, tasks = reading_batch(reader, rng, curriculum.longest_journal(number))
        else:
            sequences, tasks = watching_batch(reader, model, pool, number, rng, curriculum)
        outcome = run_packed(model, sequences, reader.tokenizer.pad_token_id)
        figures = by_task(outcome.branch_right, tasks)
        kind = "reading" if reads else "watching"
        figures[f"{kind} loss"] = float(outcome.loss.detach())
        inner, known = heads.loss(outcome.states, sequences)
        figures |= {f"{kind}, inner {name}": share for name, share in known.items()}
        return outcome.loss + INNER_SHARE * inner, figures

    return step


def train_watching(settings: LoopSettings) -> int:
    """Run or resume the stage; the vision side stays as after alignment."""
    architecture, is_first = settings.architecture, settings.first_folder is None
    model = architecture.build_model(settings.seed)
    heads = InnerHeads(MODEL_DIM)
    modules = nn.ModuleDict({"model": model, "inner heads": heads})
    if checkpoint_path(settings.folder, settings.name).exists():
        load_modules(settings.folder, settings.name, modules)
    else:
        load_modules(settings.folder, "alignment", nn.ModuleDict({"model": model}))
        if settings.first_folder is None:
            _take_copying_decoder(settings, model)
        else:
            first, known = first_model(settings.first_folder)
            take_decoder(model, first)
            heads.load_state_dict(known.state_dict())
    newline = [model.model.image_newline] if is_first else []
    trained = [*model.model.language_model.parameters(), *newline, *heads.parameters()]
    pool = StoryPool(model, POOL_STORIES)
    curriculum = FROM_NOTHING if is_first else FROM_THE_FIRST
    step = watching_step(model, heads, Reader(architecture.tokenizer()), pool, curriculum)
    return run_stage(settings, modules, trained, step, muon_and_adamw)


def _take_copying_decoder(settings: LoopSettings, model: Any) -> None:
    copying = build_model(settings.seed)
    load_modules(settings.folder, "copying", nn.ModuleDict({"model": copying}))
    model.model.language_model.load_state_dict(copying.model.language_model.state_dict())
    with torch.no_grad():  # the newline starts with the usual length of a word embedding
        model.model.image_newline.copy_(word_vectors(model, ("video",))[0])
