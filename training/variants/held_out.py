"""Captions of held-out clips that need memory, with memory filled by each rule: has a variant adapted to its own?"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch

from keepsight.method.selection.base import DEFAULT_RETENTION
from keepsight.toyworld.captions import Clause, TrueCaption, true_caption
from training.encoded_stories import EncodedStory, MemoryRule, encode_story
from training.packing import run_packed
from training.reading import Reader
from training.variants.attention import MEMORY_CLIPS, story_scores
from training.variants.evidence import has_evidence
from training.watching import clip_with_memory

FIRST_SEED = 40_000
"""Seed of the first story. The bench's begin at 50,000 and 60,000, those of training at 2^32."""
CLIPS_A_PASS = 6


@dataclass(frozen=True)
class Case:
    """A clip of a held-out story whose caption needs memory.

    Attributes:
        story: index of the story.
        clip: index of the clip in the story.
        first: first clip of the memory.
        truth: caption of a watcher that remembers since then.
    """

    story: int
    clip: int
    first: int
    truth: TrueCaption


@dataclass(frozen=True)
class HeldOut:
    """Held-out stories and the clips of them to caption."""

    stories: tuple[EncodedStory, ...]
    cases: tuple[Case, ...]

    @classmethod
    def make(cls, model: Any, num_clips: int) -> "HeldOut":
        """The first clips, in order of seeds, whose captions need memory."""
        stories: list[EncodedStory] = []
        cases: list[Case] = []
        while len(cases) < num_clips:
            encoded = encode_story(model, FIRST_SEED + len(stories), "default")
            cases += cases_of(encoded, len(stories))
            stories.append(encoded)
        return cls(tuple(stories), tuple(cases[:num_clips]))

    def scored(self, reader: Reader, model: Any) -> "HeldOut":
        """The same with scores by the model's present attention."""
        stories = (replace(one, scores=story_scores(reader, model, one)) for one in self.stories)
        return replace(self, stories=tuple(stories))


def cases_of(encoded: EncodedStory, number: int) -> list[Case]:
    """Clips of a story whose captions need memory."""
    found = []
    for clip, span in enumerate(encoded.spans):
        first = max(clip - MEMORY_CLIPS, 0)
        truth = true_caption(encoded.story, span, encoded.spans[first].start_seconds)
        if any(clause.needs_past for clause in truth.clauses):
            found.append(Case(number, clip, first, truth))
    return found


def held_out_figures(
    reader: Reader, model: Any, held_out: HeldOut, rules: Mapping[str, MemoryRule]
) -> dict[str, float]:
    """Share of clauses predicted word by word, after the true words before: those that need memory and other events;
    and of those that need memory, the share whose evidence is among the remembered tokens.

    Args:
        reader: of the model's prompts.
        model: as `attention.prepare` left it.
        held_out: the clips; their scores are computed again.
        rules: by name; each draws the same memories at every call.
    """
    known = held_out.scored(reader, model)
    figures = {}
    for name, rule in rules.items():
        told = _told_clauses(reader, model, known, rule)
        past = [one for one in told if one.clause.needs_past]
        shown = [one for one in told if not one.clause.needs_past and one.clause.event is not None]
        figures[f"held-out past, {name}"] = sum(one.is_right for one in past) / len(past)
        figures[f"held-out evidence, {name}"] = sum(one.has_evidence for one in past) / len(past)
        figures[f"held-out shown, {name}"] = sum(one.is_right for one in shown) / max(len(shown), 1)
    return figures


@dataclass(frozen=True)
class Told:
    """A clause of a caption: whether it was predicted, and whether the memory shows what it says of the past."""

    clause: Clause
    is_right: bool
    has_evidence: bool


@torch.no_grad()
def _told_clauses(reader: Reader, model: Any, held_out: HeldOut, rule: MemoryRule) -> list[Told]:
    rng = random.Random(0)
    told: list[Told] = []
    for start in range(0, len(held_out.cases), CLIPS_A_PASS):
        cases = held_out.cases[start : start + CLIPS_A_PASS]
        stories = [held_out.stories[case.story] for case in cases]
        memories = [
            rule(story, case.first, case.clip, DEFAULT_RETENTION, rng)
            for story, case in zip(stories, cases, strict=True)
        ]
        branches = [reader.caption_branch(case.truth) for case in cases]
        sequences = [
            clip_with_memory(reader, model, story, case.clip, memory, [branch])
            for story, case, memory, branch in zip(stories, cases, memories, branches, strict=True)
        ]
        right = run_packed(model, sequences, reader.tokenizer.pad_token_id).target_right
        by_case = right.split([len(branch.reply_ids) for branch in branches])
        for story, case, memory, branch, own in zip(stories, cases, memories, branches, by_case, strict=True):
            bounds = clause_bounds(reader.tokenizer.convert_ids_to_tokens(list(branch.reply_ids)))
            places = [(story.spans[clip], index) for clip, index in memory.places]
            told += [
                Told(
                    clause, bool(own[start:end].all()), clause.needs_past and has_evidence(story.story, places, clause)
                )
                for clause, (start, end) in zip(case.truth.clauses, bounds, strict=True)
            ]
    return told


def clause_bounds(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """First token of each clause of a caption, and the mark behind it."""
    marks = [at for at, token in enumerate(tokens) if token in (":", ",", ".")]
    return [(start + 1, end) for start, end in pairwise(marks)]
