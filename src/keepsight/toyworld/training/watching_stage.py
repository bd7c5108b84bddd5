"""Stage 4, the longest: the decoder learns to watch, with and without memory, and to read journals."""

import random

import torch
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.training import parallel
from keepsight.toyworld.training.blueprint import MODEL_DIM, build_model
from keepsight.toyworld.training.encoded_stories import StoryPool
from keepsight.toyworld.training.inner_heads import InnerHeads
from keepsight.toyworld.training.listing_heads import put_in_listing_heads
from keepsight.toyworld.training.loop import LoopSettings, StepFunction, checkpoint_path, load_modules, run_stage
from keepsight.toyworld.training.muon import muon_and_adamw
from keepsight.toyworld.training.packing import Packed, run_packed
from keepsight.toyworld.training.reading import Reader
from keepsight.toyworld.training.reading_batches import by_task, reading_batch
from keepsight.toyworld.training.tower_stage import word_vectors
from keepsight.toyworld.training.watching import RETENTIONS, clip_item, live_item, short_items

READING_SHARES = (0.0, 0.8)
"""Share of reading steps in the first and the second process; their mean where there is one process only."""
READING_LINES = ((0, 3), (150, 5), (300, 10), (450, 16), (600, 20))
"""From which step on journals may be how long."""
POOL_STORIES = 300
RENEWED_SHARE = 0.4
"""Share of the steps on clips before which the pool gets a new story."""
REMEMBERING = ((0, 0), (900, 4), (1150, 16))
"""From which step on clips may have how many clips of memory in front of them."""
SHORT = (
    (0, 1.0, (1,)),
    (200, 1.0, (1, 2, 4)),
    (300, 1.0, (2, 4, 8)),
    (500, 1.0, (2, 4, 8, 16, 16)),
    (900, 0.5, (4, 8, 16)),
    (1400, 0.65, (2, 4, 8, 16)),
    (2000, 0.35, (4, 8, 16)),
)
"""From which step on what share of watching steps is of a few frames only, and of how many."""
TOKENS_A_STEP = 2600
INNER_SHARE = 0.4
"""Weight of the labels read inside (`inner_heads`) beside the replies."""
LISTING_STEP = 2068
"""Before which step the heads for listing are put in (see `listing_heads`): when the easy part has been learned."""


def reading_lines(step: int) -> int:
    """Longest journal, in captions, at a step."""
    return max(lines for since, lines in READING_LINES if step >= since)


def memory_clips(step: int) -> int:
    """Longest memory, in clips, at a step."""
    return max(clips for since, clips in REMEMBERING if step >= since)


def watching_batch(
    reader: Reader, model: LlavaOnevisionForConditionalGeneration, pool: StoryPool, number: int, rng: random.Random
) -> tuple[list[Packed], list[str]]:
    """Glimpses of many stories, or clips of one."""
    _, share, lengths = max(rule for rule in SHORT if number >= rule[0])
    if rng.random() < share:
        num_frames = rng.choice(lengths)
        items = short_items(reader, model, num_frames, TOKENS_A_STEP // (80 + 9 * num_frames), rng)
    else:
        items = clip_batch(reader, model, pool, memory_clips(number), rng)
    return [item for item, _ in items], [task for _, tasks in items for task in tasks]


def clip_batch(
    reader: Reader, model: LlavaOnevisionForConditionalGeneration, pool: StoryPool, longest: int, rng: random.Random
) -> list[tuple[Packed, list[str]]]:
    """Clips, each of another story, behind memories of about the same length, and one live item."""
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
    model: LlavaOnevisionForConditionalGeneration, heads: InnerHeads, reader: Reader, pool: StoryPool
) -> StepFunction:
    """A step of watching or, in between, of reading."""
    alone = parallel.num_processes() == 1
    share = sum(READING_SHARES) / 2 if alone else READING_SHARES[parallel.rank() % 2]

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        if number == LISTING_STEP:  # the same in every process: weights and samples are equal
            samples = short_items(reader, model, 2, 20, random.Random(LISTING_STEP))
            put_in_listing_heads(model, [sample for sample, _ in samples])
        reads = rng.random() < share
        if reads:
            sequences, tasks = reading_batch(reader, rng, reading_lines(number))
        else:
            sequences, tasks = watching_batch(reader, model, pool, number, rng)
        outcome = run_packed(model, sequences, reader.tokenizer.pad_token_id)
        figures = by_task(outcome.branch_right, tasks)
        kind = "reading" if reads else "watching"
        figures[f"{kind} loss"] = float(outcome.loss.detach())
        inner, known = heads.loss(outcome.states, sequences)
        figures |= {f"{kind}, inner {name}": share for name, share in known.items()}
        return outcome.loss + INNER_SHARE * inner, figures

    return step


def train_watching(settings: LoopSettings) -> int:
    """Run (or resume) the stage; the tower and the projector stay as the alignment left them."""
    model = build_model(settings.seed)
    heads = InnerHeads(MODEL_DIM)
    modules = nn.ModuleDict({"model": model, "inner heads": heads})
    if checkpoint_path(settings.folder, settings.name).exists():
        load_modules(settings.folder, settings.name, modules)
    else:
        load_modules(settings.folder, "alignment", nn.ModuleDict({"model": model}))
        copying = build_model(settings.seed)
        load_modules(settings.folder, "copying", nn.ModuleDict({"model": copying}))
        model.model.language_model.load_state_dict(copying.model.language_model.state_dict())
        with torch.no_grad():  # the newline starts as the word embedding of a line's end would: of usual length
            model.model.image_newline.copy_(word_vectors(model, ("video",))[0])
    trained = [*model.model.language_model.parameters(), model.model.image_newline, *heads.parameters()]
    pool = StoryPool(model, POOL_STORIES)
    return run_stage(settings, modules, trained, watching_step(model, heads, Reader(), pool), muon_and_adamw)
