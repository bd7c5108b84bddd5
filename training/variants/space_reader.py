"""How well an ideal reader answers where something was: it knows which kept tokens show it, and reads their column.

By the token itself, through a linear map fitted to other stories, or by the token's true position. Between the two lies
what positions can add.
"""

import random
from typing import Any

import torch
from torch import Tensor

from keepsight.method.selection.base import DEFAULT_RETENTION
from keepsight.spans import Span
from keepsight.toyworld.render import THING_SIZE
from keepsight.toyworld.space_questions import WHERE, SpaceFact, space_facts
from training.architecture import architecture_of
from training.encoded_stories import EncodedStory, frame_times
from training.moments import cell_cover
from training.qwen_blueprint import SIDE
from training.reading import Reader
from training.variants.space_held_out import SpaceHeldOut, held_out_rules
from training.variants.space_tokens import column_map

NUM_READ = 60
LEAST_COVER = 0.3
"""Least share of a token's cell that the thing covers."""


def ideal_reader(model: Any, reader: Reader) -> dict[str, float]:
    """Shares of the held-out questions `where in the picture`, by the rule that keeps tokens: those with a token on the
    thing, and those that the reader answers right. Without such a token it is right half of the time.
    """
    told = column_map(model)
    per_step = architecture_of(model).frames_per_step
    held_out = SpaceHeldOut.make(reader, model, NUM_READ)
    found: dict[str, float] = {}
    for name, rule in held_out_rules("contiguous").items():
        covered, by_token, by_position = [], [], []
        for number, story in enumerate(held_out.stories):
            every = [(clip, index) for clip in range(len(story.spans)) for index in range(story.tokens_per_clip)]
            kept = rule(story, 0, len(story.spans), DEFAULT_RETENTION, random.Random(number)).places if rule else every
            for fact in space_facts(story.story, Span(0.0, story.spans[-1].end_seconds)):
                if fact.task == WHERE:
                    seen = [
                        (place, cover)
                        for place in kept
                        if (cover := _cover(story, fact, place, per_step)) > LEAST_COVER
                    ]
                    columns = [told(story.tokens[clip].flatten(0, 1)[index].float()) for (clip, index), _ in seen]
                    covered.append(bool(seen))
                    by_token.append(_right(fact, sum(c * w for c, (_, w) in zip(columns, seen, strict=True))))
                    by_position.append(_right(fact, sum((index % SIDE - 1) * w for (_, index), w in seen)))
        for of, values in (("covered", covered), ("by token", by_token), ("by position", by_position)):
            found[f"{name}, {of}"] = sum(values) / len(values)
        found["questions"] = len(covered)
    return found


def _right(fact: SpaceFact, weight: float) -> float:
    """Whether a weight, negative on the left, has the side of the answer; half without one."""
    return 0.5 if weight == 0 else float((weight > 0) == (fact.side == "right"))


def _cover(story: EncodedStory, fact: SpaceFact, place: tuple[int, int], frames_per_step: int) -> float:
    """Share of a token's cell that a thing covers."""
    clip, index = place
    first = index // SIDE**2 * frames_per_step
    times = frame_times(story.spans[clip])[first : first + frames_per_step]
    shown = ((one, moment) for moment in times for one in story.story.visible_at(moment))
    cells: list[Tensor] = [
        cell_cover(one.position(moment), THING_SIZE)
        for one, moment in shown
        if one.thing is not None and one.thing.noun == fact.nouns[0]
    ]
    return float(torch.stack(cells).amax(0)[index % SIDE**2]) if cells else 0.0
