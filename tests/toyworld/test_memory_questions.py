"""Questions that memory decides: true, balanced, and at chance for whoever sees one clip at a time."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from keepsight.toyworld.captions import TrueCaption, clip_spans, true_captions
from keepsight.toyworld.memory_questions import MEMORY_KINDS, memory_questions
from keepsight.toyworld.questions import ToyQuestion
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import Kind, Story
from keepsight.toyworld.tokenizer import build_tokenizer
from keepsight.toyworld.vocabulary import COUNT_WORDS
from keepsight.toyworld.worlds import WORLDS

CASES = [(world, seed) for world, seeds in (("hard", 5), ("long-gaps", 5), ("default", 4)) for seed in range(seeds)]


@cache
def asked(world: str, seed: int) -> tuple[Story, tuple[TrueCaption, ...], tuple[ToyQuestion, ...]]:
    """A story, what a watcher without memory says of its clips, and the questions."""
    story = make_story(seed, {"default": 15, "hard": 30, "long-gaps": 96}[world], WORLDS[world])
    spans = clip_spans(story.duration_seconds, 32)
    questions = memory_questions(true_captions(story, spans, None), seed, 4)
    return story, tuple(true_captions(story, spans, 0)), tuple(questions)


def all_questions(task: str) -> list[tuple[Story, tuple[TrueCaption, ...], ToyQuestion]]:
    return [
        (story, captions, question)
        for story, captions, questions in (asked(*case) for case in CASES)
        for question in questions
        if question.task == task
    ]


def subject_of(question: ToyQuestion) -> str:
    words = question.question.split()
    return words[3] if question.task == "here before" else words[5]


@pytest.mark.parametrize("case", CASES)
def test_without_memory_each_kind_is_answered_at_chance(case: tuple[str, int]) -> None:
    """Video by video: the caption that a clip alone gives is right in half of the cases, any constant count in its."""
    _, without_memory, questions = asked(*case)
    right = [
        clause.verb == question.answer
        for question in questions
        if question.task == "here before"
        for clause in without_memory[round(question.ask_seconds / 32) - 1].clauses
        if clause.noun == subject_of(question)
    ]
    assert sum(right) * 2 == len(right) > 0
    endings = Counter((q.answer.partition(" ")[2], q.answer.split()[0]) for q in questions if q.task == "here before")
    for (ending, verb), count in endings.items():
        assert endings[ending, {"arrives": "returns", "returns": "arrives"}[verb]] == count
    counted = Counter(question.answer for question in questions if question.task == "how often")
    assert len(set(counted.values())) <= 1
    assert list(counted) == [] or set(counted) in ({"one", "two"}, {"one", "two", "three"})


def test_boxes_show_no_content_and_no_answer_is_common() -> None:
    """What a watcher without memory says of the clip names a closed box and not its content."""
    answers = []
    for _, captions, question in all_questions("in the box"):
        caption = captions[round(question.ask_seconds / 32) - 1]
        assert "the closed box" in caption.text
        assert question.answer not in caption.text
        answers.append(question.answer)
    assert len(answers) > 20
    assert Counter(answers).most_common(1)[0][1] / len(answers) < 0.15


def was_on_screen(story: Story, noun: str, until: float) -> bool:
    return any(
        shown.thing is not None and shown.thing.noun == noun
        for seconds in np.arange(1.0, until, 2.0)
        for shown in story.visible_at(seconds)
    )


def test_answers_are_what_the_story_shows() -> None:
    for story, _, question in all_questions("here before"):
        started = question.ask_seconds - 32
        assert question.answer.startswith("returns") == was_on_screen(story, subject_of(question), started)
    for story, _, question in all_questions("how often"):
        came = [
            event
            for event in story.events
            if event.thing and event.thing.noun == subject_of(question) and event.kind in (Kind.ARRIVE, Kind.VISIT)
        ]
        assert COUNT_WORDS[sum(event.start_seconds < question.ask_seconds for event in came)] == question.answer
    for story, _, question in all_questions("in the box"):
        entered = [e for e in story.events if e.kind == Kind.ENTER_BOX and e.end_seconds < question.ask_seconds]
        assert entered[-1].thing is not None
        assert question.answer == f"the {entered[-1].thing.phrase}"
        assert entered[-1].end_seconds < question.ask_seconds - 32


def test_evidence_lies_in_earlier_clips_and_every_word_is_known() -> None:
    tokenizer = build_tokenizer()
    gaps = []
    for task in MEMORY_KINDS:
        for _, captions, question in all_questions(task):
            clip = round(question.ask_seconds / 32) - 1
            assert all(0 <= evidence < clip for evidence in question.evidence_clips)
            noun = question.answer.split()[-1] if task == "in the box" else subject_of(question)
            assert all(f" {noun} " in captions[evidence].text for evidence in question.evidence_clips)
            if question.evidence_clips:
                gaps.append(clip - max(question.evidence_clips))
            for text in (question.question, question.answer):
                assert tokenizer.unk_token_id not in tokenizer(text).input_ids
    assert max(gaps) > 40


def test_what_came_for_the_first_time_has_no_evidence() -> None:
    for _, _, question in all_questions("here before"):
        assert bool(question.evidence_clips) == question.answer.startswith("returns")
    for _, _, question in all_questions("how often"):
        assert COUNT_WORDS[len(question.evidence_clips) + 1] == question.answer
