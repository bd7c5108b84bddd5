"""Questions about places in the picture: true in the rendered pictures, and at chance for whoever sees none."""

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from keepsight.spans import Span
from keepsight.toyworld.captions import clip_spans, true_captions
from keepsight.toyworld.questions import ToyQuestion
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.space_questions import SPACE_KINDS, space_facts, space_questions
from keepsight.toyworld.story import Appearance, Difficulty, Layer, Scene, Story, Thing
from keepsight.toyworld.tokenizer import build_tokenizer

PIXELS = 96
DOG, CAT = Thing("dog"), Thing("cat")


@cache
def asked(seed: int, per_kind: int = 2, beats: int = 3) -> tuple[Story, tuple[ToyQuestion, ...]]:
    story = make_story(seed, beats)
    return story, tuple(space_questions(story, clip_spans(story.duration_seconds, 32), seed, per_kind))


def nouns_of(question: ToyQuestion) -> list[str]:
    words = question.question.rstrip("?").replace(",", "").split()
    return [word for before, word in pairwise(words) if before == "the" and word not in ("left", "right")]


def middle_of(story: Story, noun: str, seconds: float) -> float | None:
    """Where most of a thing is drawn at a time, as a fraction of the width: by drawing the story without it, too."""
    others = tuple(shown for shown in story.appearances if shown.thing is None or shown.thing.noun != noun)
    pictures = [render_frame(one, seconds, PIXELS) for one in (story, replace(story, appearances=others))]
    differ = (pictures[0] != pictures[1]).any(axis=2)
    if differ.sum() < 60:  # a sliver at the edge, or hidden
        return None
    return float(np.nonzero(differ)[1].mean() + 0.5) / PIXELS


def path_of(story: Story, noun: str, until: float) -> dict[float, float]:
    seen = {float(seconds): middle_of(story, noun, float(seconds)) for seconds in np.arange(0.5, until, 1.0)}
    return {seconds: x for seconds, x in seen.items() if x is not None}


@pytest.mark.parametrize("seed", range(4_000, 4_010))
def test_answers_are_what_the_pictures_show(seed: int) -> None:
    story, questions = asked(seed)
    for question in questions:
        first, *other = (path_of(story, noun, question.ask_seconds) for noun in nouns_of(question))
        assert len(first) >= 3
        if question.task == "where in the picture":
            assert {x < 0.5 for x in first.values()} == {question.answer == "left"}
        elif question.task == "which way":
            steps = [first[now] - first[now - 1] for now in first if now - 1 in first]
            right, left = (sum(max(sign * step, 0.0) for step in steps) for sign in (1, -1))
            assert (right > left + 0.1) == (question.answer == "right")
            assert (left > right + 0.1) == (question.answer == "left")
        else:
            is_left = {first[now] < other[0][now] for now in first if now in other[0]}
            named = question.answer.split()[1] == nouns_of(question)[0]
            assert is_left == {named == question.question.startswith("Which was on the left,")}


def test_each_kind_is_answered_at_chance_without_the_video() -> None:
    """By a constant answer, by the first thing named, and by what was usual for the noun in other videos."""
    listed = [question for seed in range(50_000, 52_000) for question in asked(seed)[1]]
    for task in SPACE_KINDS:
        questions = [question for question in listed if question.task == task]
        assert len(questions) > 1500
        assert is_chance([_is_first(question) for question in questions])
        learned_from, asked_about = questions[: len(questions) // 2], questions[len(questions) // 2 :]
        usual = Counter(nouns_of(question)[0] for question in learned_from if _is_first(question))
        usual.subtract(nouns_of(question)[0] for question in learned_from if not _is_first(question))
        assert is_chance([(usual[nouns_of(question)[0]] > 0) == _is_first(question) for question in asked_about])


def is_chance(right: list[bool]) -> bool:
    """Whether half of the cases are right, within three standard errors of tossing a coin."""
    return abs(sum(right) - len(right) / 2) < 1.5 * len(right) ** 0.5


def _is_first(question: ToyQuestion) -> bool:
    """Whether the answer is `left`, or the thing named first."""
    return question.answer in ("left", f"the {nouns_of(question)[0]}")


def test_numbers_times_evidence_and_words() -> None:
    tokenizer = build_tokenizer()
    for seed in range(30):
        story, questions = asked(seed, 3, 8)
        spans = clip_spans(story.duration_seconds, 32)
        captions = true_captions(story, spans)
        assert max(Counter(question.task for question in questions).values()) <= 3
        assert len({question.question for question in questions}) == len(questions)
        assert [question.ask_seconds for question in questions] == sorted(
            question.ask_seconds for question in questions
        )
        for question in questions:
            assert question.ask_seconds % 32 == 0
            assert question.evidence_clips
            for clip in question.evidence_clips:
                assert spans[clip].end_seconds <= question.ask_seconds
                assert all(f" {noun} " in captions[clip].text for noun in nouns_of(question))
            for text in (question.question, question.answer):
                assert tokenizer.unk_token_id not in tokenizer(text).input_ids
    assert space_questions(story, spans, 29, 3) == list(questions)


def shown(thing: Thing, *path: tuple[float, float]) -> Appearance:
    """A thing at a height on a path of seconds and positions in width."""
    points = tuple((seconds, x, 0.5) for seconds, x in path)
    return Appearance(thing.phrase, thing, "park", Layer.FLOOR, points)


@pytest.mark.parametrize(
    ("appearances", "facts"),
    [
        ([shown(DOG, (0, 0.18), (9, 0.18))], {("where in the picture", "left", "dog")}),
        ([shown(DOG, (0, 0.82), (9, 0.82))], {("where in the picture", "right", "dog")}),
        ([shown(DOG, (0, 0.5), (9, 0.5))], set()),
        ([shown(DOG, (0, 0.18), (3, 0.18))], set()),  # too short
        ([shown(DOG, (0, 0.18), (9, 0.18)), shown(DOG, (20, 0.82), (29, 0.82))], set()),  # once here, once there
        ([shown(DOG, (0, -0.2), (4, 0.18), (9, 0.18))], {("where in the picture", "left", "dog")}),
        ([shown(DOG, (0, -0.2), (4, 0.5), (9, 0.5))], {("which way", "right", "dog")}),
        ([shown(DOG, (0, 0.82), (9, 0.82), (13, 0.18))], {("which way", "left", "dog")}),
        ([shown(DOG, (0, 0.82), (9, 0.82), (13, 0.18), (20, 0.18), (24, 0.5))], set()),  # there and back
        (
            [shown(DOG, (0, 0.5), (9, 0.5)), shown(CAT, (4, 0.82), (9, 0.82))],
            {("where in the picture", "right", "cat"), ("left of", "right", "cat dog")},
        ),
        ([shown(DOG, (0, 0.5), (9, 0.5)), shown(CAT, (6, 0.5), (12, 0.5))], set()),  # one above the other
        (
            [shown(DOG, (0, 0.5), (9, 0.5)), shown(CAT, (9, 0.82), (14, 0.82))],  # never together
            {("where in the picture", "right", "cat")},
        ),
    ],
)
def test_only_what_is_unambiguous_is_asked(appearances: list[Appearance], facts: set[tuple[str, str, str]]) -> None:
    story = Story(0, Difficulty(), 32.0, (Scene(0.0, 32.0, "park"),), tuple(appearances), ())
    found = space_facts(story, Span(0.0, 32.0))
    assert {(fact.task, fact.side, " ".join(fact.nouns)) for fact in found} == facts
