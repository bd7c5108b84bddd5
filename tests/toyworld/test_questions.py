import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.toyworld.captions import TrueCaption, clip_spans, true_captions
from keepsight.toyworld.questions import QUESTION_KINDS, ToyQuestion, ask, ask_all, same_answer, things_in_picture
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.tokenizer import build_tokenizer


def captions_of(seed: int, clips: int = 14) -> list[TrueCaption]:
    story = make_story(seed, clips)
    return true_captions(story, clip_spans(story.duration_seconds, story.difficulty.beat_seconds))


def answer_by_reading(texts: list[str], question: ToyQuestion) -> str | None:
    """An answer found in the captions' text alone, in another way than the questions were made."""
    clauses = [(text, clause) for text in texts for clause in text.rstrip(".").split(": ")[1].split(", ")]
    if question.task == "what in the box":
        tail = " goes into the box"
        subject = [clause.removesuffix(tail) for _, clause in clauses if clause.endswith(tail)]
        return subject[-1]
    if question.task == "what hid":
        fixture = question.question.split()[4]
        return [c.split(" hides")[0] for _, c in clauses if f"hides behind the {fixture}" in c][-1]
    noun = question.question.rstrip("?").split()[-1]
    if question.task == "seen":
        told = [clause for _, clause in clauses if f" {noun} " in f" {clause} " and "box with" not in clause]
        return "yes" if told else "no"
    if question.task == "colour":
        words = [clause for _, clause in clauses if f" {noun} " in f" {clause} "][-1].split()
        return words[words.index(noun) - 1]
    if question.task == "how many":
        noun = question.question.split()[5]
        counted = sum(f" {noun} arrives" in c or f" {noun} returns" in c for _, c in clauses)
        return ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][counted]
    return None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5_000))
def test_answers_can_be_read_off_the_captions(seed: int) -> None:
    captions = captions_of(seed)
    for question in ask_all(captions, seed, per_kind=2):
        texts = [caption.text for caption in captions if caption.span.end_seconds <= question.ask_seconds]
        found = answer_by_reading(texts, question)
        if found is not None:
            assert question.answer == found, question


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5_000))
def test_evidence_lies_before_the_ask_time_and_every_word_is_known(seed: int) -> None:
    captions = captions_of(seed)
    tokenizer = build_tokenizer()
    asked = ask_all(captions, seed, per_kind=2)
    assert [question.ask_seconds for question in asked] == sorted(question.ask_seconds for question in asked)
    for question in asked:
        assert all(captions[clip].span.end_seconds <= question.ask_seconds for clip in question.evidence_clips)
        for text in (question.question, question.answer, *(caption.text for caption in captions)):
            ids = tokenizer(text).input_ids
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids) == text.lower()


@pytest.mark.parametrize("task", list(QUESTION_KINDS))
def test_every_kind_of_question_comes_up_and_has_more_than_one_answer(task: str) -> None:
    drafts = [ask(captions_of(seed), task, random.Random(seed)) for seed in range(40)]
    assert len({draft.answer for draft in drafts if draft}) > 1


@pytest.mark.parametrize(
    ("given_answer", "right", "same"),
    [
        ("a dog and a red car", "a red car and a dog", True),
        ("Yes.", "yes", True),
        ("the dog", "the cat", False),
        ("a dog", "a dog and a cat", False),
        ("", "nothing", False),
    ],
)
def test_exact_match_ignores_case_stop_and_order_only(given_answer: str, right: str, same: bool) -> None:
    assert same_answer(given_answer, right) is same


def test_things_in_the_picture_are_all_listed() -> None:
    story = make_story(3, 10)
    for seconds in range(5, 300, 7):
        listed = things_in_picture(story, float(seconds))
        shown = [one for one in story.visible_at(float(seconds)) if one.thing]
        inside = [one for one in shown if 0.0 < one.position(float(seconds))[0] < 1.0]
        assert all(one.thing.phrase in listed for one in inside if one.thing)
