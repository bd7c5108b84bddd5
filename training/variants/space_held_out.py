"""Answers to held-out questions about places in the picture, over whole clips and over memory filled by each rule."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from keepsight.toyworld.space_questions import SPACE_KINDS
from training.encoded_stories import EncodedStory, MemoryRule, encode_story, random_memory
from training.packing import run_packed
from training.reading import Reader
from training.variants.attention import attended_memory, story_scores
from training.variants.held_out import FIRST_SEED
from training.variants.rules import uniform_memory
from training.variants.space import Asked, positioned, space_item

CLIPS = 3
"""As in the short videos that the bench asks about."""
ITEMS_A_PASS = 8


@dataclass(frozen=True)
class SpaceHeldOut:
    """Held-out stories of a few clips, of which all that is unambiguous is asked.

    Their scores are those of the model before training, for true captions and memory at contiguous positions: all
    variants of a model keep the same tokens.
    """

    stories: tuple[EncodedStory, ...]

    @classmethod
    def make(cls, reader: Reader, model: Any, num_stories: int) -> "SpaceHeldOut":
        """The first stories in order of seeds."""
        seeds = range(FIRST_SEED, FIRST_SEED + num_stories)
        stories = (encode_story(model, seed, "default", CLIPS) for seed in seeds)
        return cls(tuple(replace(story, scores=story_scores(reader, model, story)) for story in stories))


@dataclass(frozen=True)
class SpaceAnswer:
    """Whether a question was answered right.

    Attributes:
        story: number of the story.
        task: kind of the question.
        is_right: whether the whole answer was.
    """

    story: int
    task: str
    is_right: bool


def held_out_rules(positions: str) -> dict[str, MemoryRule | None]:
    """Rules that fill the memory for the questions, at the positions of a variant; None for whole clips."""
    rules = {"events": random_memory, "attention": attended_memory, "uniform": uniform_memory}
    return {**{name: positioned(rule, positions) for name, rule in rules.items()}, "whole clips": None}


@torch.no_grad()
def space_answers(reader: Reader, model: Any, held_out: SpaceHeldOut, rule: MemoryRule | None) -> list[SpaceAnswer]:
    """Answers to all held-out questions, the same ones in the same order for every rule and model.

    Args:
        reader: of the model's prompts.
        model: the model.
        held_out: the stories.
        rule: fills the memory; None to show whole clips.
    """
    numbered: list[tuple[int, Asked]] = []
    for number, story in enumerate(held_out.stories):
        item = space_item(reader, model, story, 0, len(story.spans), rule, random.Random(number))
        if item is not None:
            numbered.append((number, item))
    answers: list[SpaceAnswer] = []
    for start in range(0, len(numbered), ITEMS_A_PASS):
        some = numbered[start : start + ITEMS_A_PASS]
        outcome = run_packed(model, [packed for _, (packed, _) in some], reader.tokenizer.pad_token_id)
        asked = [(number, task) for number, (_, tasks) in some for task in tasks]
        right = outcome.branch_right.tolist()
        answers += [SpaceAnswer(*one, is_right) for one, is_right in zip(asked, right, strict=True)]
    return answers


def space_figures(
    reader: Reader, model: Any, held_out: SpaceHeldOut, rules: Mapping[str, MemoryRule | None]
) -> dict[str, float]:
    """Share of right answers by kind and rule, and the number of questions."""
    figures: dict[str, float] = {}
    for name, rule in rules.items():
        answers = space_answers(reader, model, held_out, rule)
        for task in SPACE_KINDS:
            right = [one.is_right for one in answers if one.task == task]
            figures |= {f"held-out {task}, {name}": sum(right) / len(right)} if right else {}
        figures["held-out questions"] = len(answers)
    return figures
