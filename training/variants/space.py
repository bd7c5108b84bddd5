"""Items of the `space` variants: questions about places in the picture, over kept tokens alone and over whole clips.

The variants differ in the positions of kept tokens alone, of those before a clip as of those without one:

- `contiguous`: side by side, as in the paper.
- `original`: as far back as in the stream. On three axes also at their row and column in the picture.
- `picture`, on three axes only: side by side on the axis of time, at their row and column on the others.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from keepsight.method.selection.base import DEFAULT_RETENTION
from keepsight.spans import Span
from keepsight.toyworld.space_questions import SpaceFact, space_facts
from training.architecture import LLAVA_ONEVISION, QWEN2_5_VL, Architecture
from training.encoded_stories import EncodedStory, Memory, MemoryRule, StoryPool
from training.packing import Branch, Packed
from training.reading import Reader
from training.variants.rules import stream_offsets, with_own_numbers
from training.watching import memory_alone, whole_clips
from training.watching_stage import RENEWED_SHARE, TOKENS_A_STEP

MOST_CLIPS = 4
"""Longest span that is asked about in training; the bench asks about three clips."""
MOST_CLIPS_WHOLE = 3
MOST_QUESTIONS = 8


@dataclass(frozen=True)
class SpaceVariant:
    """What a variant is trained from, and with.

    Attributes:
        architecture: of the bundled model.
        bundled: its name.
        positions: `contiguous`, `original` or `picture`.
        shares: of the kinds of steps.
        tokens_a_step: about so many, of questions about places.
    """

    architecture: Architecture
    bundled: str
    positions: str
    shares: Mapping[str, float]
    tokens_a_step: int


WATCHING = {"kept": 0.4, "whole": 0.2, "memory": 0.25, "reading": 0.1, "glimpses": 0.05}
"""Shares of steps: questions about places over kept tokens and over whole clips, and what the model knows already, so
that it goes on captioning with memory."""
ASKING = {"kept": 0.7, "whole": 0.3}
"""Questions about places alone: such a variant is not asked to caption any more."""
SPACE_VARIANTS = {
    "space": SpaceVariant(LLAVA_ONEVISION, "tiny", "contiguous", WATCHING, TOKENS_A_STEP),
    "space-original": SpaceVariant(LLAVA_ONEVISION, "tiny", "original", WATCHING, TOKENS_A_STEP),
    "space-qwen": SpaceVariant(QWEN2_5_VL, "tiny-qwen", "contiguous", ASKING, TOKENS_A_STEP // 2),
    "space-qwen-original": SpaceVariant(QWEN2_5_VL, "tiny-qwen", "original", ASKING, TOKENS_A_STEP // 2),
    "space-qwen-picture": SpaceVariant(QWEN2_5_VL, "tiny-qwen", "picture", ASKING, TOKENS_A_STEP // 2),
}


def positioned(rule: MemoryRule, positions: str) -> MemoryRule:
    """A rule whose memories lie at the positions of a variant."""

    def draw(encoded: EncodedStory, first: int, last: int, retention: float, rng: random.Random) -> Memory:
        memory = rule(encoded, first, last, retention, rng)
        if positions == "original":
            return replace(memory, offsets=stream_offsets(encoded, memory, last))
        return replace(memory, in_picture=positions == "picture")

    return draw


Asked = tuple[Packed, list[str]]
"""A prompt with questions as branches, and the kind of each."""


def asked_branches(reader: Reader, facts: list[SpaceFact], rng: random.Random) -> tuple[list[Branch], list[str]]:
    """Questions about facts, as they follow a video, and their kinds."""
    branches, tasks = [], []
    for fact in facts:
        question, answer = fact.worded(rng.randrange(2), rng)
        branches.append(reader.question_branch(question, answer, before="\n"))
        tasks.append(fact.task)
    return branches, tasks


def space_item(
    reader: Reader,
    model: Any,
    encoded: EncodedStory,
    first: int,
    last: int,
    rule: MemoryRule | None,
    rng: random.Random,
) -> Asked | None:
    """Questions about the clips `first` to `last - 1` over what a rule keeps of them, or over all of them without one.

    None if there is nothing to ask.
    """
    span = Span(encoded.spans[first].start_seconds, encoded.spans[last - 1].end_seconds)
    facts = space_facts(encoded.story, span)
    branches, tasks = asked_branches(reader, rng.sample(facts, min(len(facts), MOST_QUESTIONS)), rng)
    if not branches:
        return None
    if rule is None:
        return whole_clips(reader, model, encoded, first, last, branches), tasks
    memory = rule(encoded, first, last, DEFAULT_RETENTION, rng)
    return memory_alone(reader, model, encoded, memory, branches), tasks


def space_batch(
    reader: Reader,
    model: Any,
    pool: StoryPool,
    rule: MemoryRule | None,
    rng: random.Random,
    num_tokens: int = TOKENS_A_STEP,
) -> tuple[list[Packed], list[str]]:
    """Questions about spans of different stories, over kept tokens or whole clips, one item a story."""
    if rng.random() < RENEWED_SHARE:
        pool.renew(rng)
    own = None if rule is None else with_own_numbers(rule)
    items: list[Asked] = []
    while not items or (len(items) + 1) * max(len(item) for item, _ in items) <= num_tokens:
        encoded = pool.draw(rng)
        length = min(rng.randint(1, MOST_CLIPS_WHOLE if rule is None else MOST_CLIPS), len(encoded.spans))
        first = rng.choice((0, rng.randint(0, len(encoded.spans) - length)))
        item = space_item(reader, model, encoded, first, first + length, own, rng)
        if item is not None:
            items.append(item)
    return [item for item, _ in items], [task for _, tasks in items for task in tasks]
