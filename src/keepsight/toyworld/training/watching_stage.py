"""Stage 4, the longest: the decoder learns to watch, with and without memory, and to read journals."""

import random

import torch
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.training import parallel
from keepsight.toyworld.training.blueprint import build_model
from keepsight.toyworld.training.loop import LoopSettings, StepFunction, checkpoint_path, load_modules, run_stage
from keepsight.toyworld.training.packing import Packed, run_packed
from keepsight.toyworld.training.reading import Reader
from keepsight.toyworld.training.reading_batches import by_task, reading_batch
from keepsight.toyworld.training.tower_stage import word_vectors
from keepsight.toyworld.training.watching import RETENTIONS, EncodedStory, StoryPool, clip_item, live_item, short_items

CLIPS_A_STEP = 10
READING_SHARES = (0.1, 0.8)
"""Share of reading steps in the first and the second process; their mean where there is one process only."""
READING_LINES = ((0, 3), (150, 5), (300, 10), (450, 16), (600, 20))
"""From which step on journals may be how long."""
POOL_STORIES = 400
EASY_STEPS = 200
REMEMBERING = ((0, 0), (300, 4), (400, 16))
"""From which step on clips may have how many clips of memory in front of them."""
SHORT = ((0, 1.0, (1,)), (200, 0.85, (1, 2, 4)), (300, 0.5, (2, 4, 8)), (450, 0.15, (1, 2, 4, 8)))
"""From which step on what share of watching steps is of a few frames only, and of how many."""
SHORT_TOKENS_A_STEP = 2600


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
        items = short_items(reader, model, num_frames, SHORT_TOKENS_A_STEP // (80 + 9 * num_frames), rng)
    else:
        weights = (0.5, 0.5, 0.0) if number < EASY_STEPS else (0.15, 0.7, 0.15)
        encoded = pool.draw(rng, rng.choices(("easy", "default", "hard"), weights)[0])
        items = clip_batch(reader, model, encoded, number, rng)
    return [item for item, _ in items], [task for _, tasks in items for task in tasks]


def clip_batch(
    reader: Reader,
    model: LlavaOnevisionForConditionalGeneration,
    encoded: EncodedStory,
    number: int,
    rng: random.Random,
) -> list[tuple[Packed, list[str]]]:
    """Clips of a story behind memories of about the same length, and one live item."""
    longest = memory_clips(number)
    reach = longest if rng.random() < 0.7 else rng.randint(0, longest)
    retention = rng.choice(RETENTIONS)
    clips = rng.sample(range(len(encoded.spans)), CLIPS_A_STEP - 1)
    items = [clip_item(reader, model, encoded, clip, reach, retention, rng) for clip in clips]
    items.append(live_item(reader, model, encoded, rng.randrange(len(encoded.spans)), rng))
    return items


def watching_step(model: LlavaOnevisionForConditionalGeneration, reader: Reader, pool: StoryPool) -> StepFunction:
    """A step of watching or, in between, of reading."""
    alone = parallel.num_processes() == 1
    share = sum(READING_SHARES) / 2 if alone else READING_SHARES[parallel.rank() % 2]

    def step(number: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        if rng.random() < share:
            sequences, tasks = reading_batch(reader, rng, reading_lines(number))
        else:
            sequences, tasks = watching_batch(reader, model, pool, number, rng)
        outcome = run_packed(model, sequences, reader.tokenizer.pad_token_id)
        figures = by_task(outcome.branch_right, tasks)
        kind = "reading" if "copy" in figures else "watching"
        figures[f"{kind} loss"] = float(outcome.loss.detach())
        return outcome.loss, figures

    return step


def train_watching(settings: LoopSettings) -> int:
    """Run (or resume) the stage; the tower and the projector stay as the alignment left them."""
    model = build_model(settings.seed)
    modules = nn.ModuleDict({"model": model})
    if checkpoint_path(settings.folder, settings.name).exists():
        load_modules(settings.folder, settings.name, modules)
    else:
        load_modules(settings.folder, "alignment", modules)
        copying = build_model(settings.seed)
        load_modules(settings.folder, "copying", nn.ModuleDict({"model": copying}))
        model.model.language_model.load_state_dict(copying.model.language_model.state_dict())
        with torch.no_grad():  # the newline starts as the word embedding of a line's end would: of usual length
            model.model.image_newline.copy_(word_vectors(model, ("video",))[0])
    trained = [*model.model.language_model.parameters(), model.model.image_newline]
    pool = StoryPool(model, POOL_STORIES)
    return run_stage(settings, modules, trained, watching_step(model, Reader(), pool))
