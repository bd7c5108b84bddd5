"""Multiple choice: prompts, and parsing of the choice in free-text replies."""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.errors import DataError
from keepsight.method.prompts import one_line_question

LETTERS = string.ascii_uppercase
"""Letters of choices; the first is A."""

_INSTRUCTION = "Answer with the letter of the right choice only."

# "A" and "I" are also words: before another word they are letters only if a clause about them follows.
_LETTER = r"(?<!\w)(?:[B-HJ-Z]|[AI](?!\s+(?!(?:is|because|since)\b)\w))(?!['’-]?\w)"
_ALONE = re.compile(r"[\W_]*([a-z])[\W_]*", re.IGNORECASE)
_MARKED = re.compile(r"[\W_]*([a-z])\s*[.):\]*,](?!\w)", re.IGNORECASE)
_LEADING = re.compile(rf"[\W_]*({_LETTER})")
_ANNOUNCED = re.compile(
    rf"\b(?i:answer|option|choice)\b(?i:\s+(?:is|was|would\s+be))?\W*(?i:(?:option|choice)\b\W*)?"
    rf"({_LETTER}|\b[a-z](?=\W*\Z))"
)
_STANDING = re.compile(_LETTER)


@dataclass(frozen=True)
class ChoiceScorer:
    """Correct if the reply names the correct choice, by letter or text, see `chosen_index`. CG-Bench and NExT-QA."""

    def score(self, question: Question, answer: str) -> Score:
        if not question.choices:
            raise DataError(f"question {question.question_id} has no choices; scoring 'choice' needs them")
        return Score(float(chosen_index(answer, question.choices) == question.answer_index))


def choice_prompt(question: str, choices: Sequence[str]) -> str:
    """A question with lettered choices, one per line, and the instruction to answer with a letter.

    Raises:
        DataError: there are no choices, or too many.
    """
    lines = [f"({letter}) {text}" for letter, text in zip(_letters(choices), _bare(choices), strict=True)]
    return own_prompt(question, *lines, _INSTRUCTION)


def wording_of(question: Question) -> str:
    """Text for the model: the question with its choices or instruction, if any.

    Raises:
        DataError: there are too many choices.
    """
    if question.choices:
        return choice_prompt(question.question, question.choices)
    if question.instruction:
        return own_prompt(question.question, question.instruction)
    return one_line_question(question.question)


def own_prompt(question: str, *lines: str) -> str:
    """A question and further lines that say how to answer it: `method.prompts.question_text` adds nothing to it."""
    return "\n".join([f"Question: {one_line_question(question)}", *map(one_line_question, lines)])


def chosen_index(reply: str, choices: Sequence[str]) -> int | None:
    """Index of the choice that a reply names; None if it names none or several.

    The first rule that applies decides: a letter alone; the whole text of one choice; a letter at the start; the last
    announced letter ("the answer is B"); the text of one choice within the reply; a single letter in it. The article of
    "A dog" is no letter, but "A is right" and "A, a dog" start with one.

    Raises:
        DataError: there are no choices, or too many.
    """
    letters = _letters(choices)
    alone = _ALONE.fullmatch(reply)
    if alone:
        return _place(alone[1], letters)
    texts, said = [_plain(text) for text in _bare(choices)], _plain(reply)
    if said and texts.count(said) == 1:
        return texts.index(said)
    named = _named_letter(reply, letters)
    if named is None:
        named = _named_text(said, texts)
    if named is None:
        standing = {_place(letter, letters) for letter in _STANDING.findall(reply)} - {None}
        named = standing.pop() if len(standing) == 1 else None
    return named


def _named_letter(reply: str, letters: str) -> int | None:
    opening = _MARKED.match(reply) or _LEADING.match(reply)
    announced = _ANNOUNCED.findall(reply)
    candidates = [opening[1]] if opening else []
    places = [_place(letter, letters) for letter in (*candidates, *reversed(announced))]
    return next((place for place in places if place is not None), None)


def _named_text(said: str, texts: Sequence[str]) -> int | None:
    """The only choice whose words occur in the reply; a text contained in another match does not count."""
    found = [text for text in texts if text and f" {text} " in f" {said} "]
    longest = [text for text in found if not any(text != other and f" {text} " in f" {other} " for other in found)]
    return texts.index(longest[0]) if len(longest) == 1 else None


def _letters(choices: Sequence[str]) -> str:
    if not 0 < len(choices) <= len(LETTERS):
        raise DataError(f"a question must have 1 to {len(LETTERS)} choices, got {len(choices)}")
    return LETTERS[: len(choices)]


def _place(letter: str, letters: str) -> int | None:
    index = letters.find(letter.upper())
    return None if index < 0 else index


def _bare(choices: Sequence[str]) -> list[str]:
    """Choices without letters that a data set put before all of them, as StreamingBench does."""
    marks = [re.match(rf"\(?{letter}[.):]\s*", text) for letter, text in zip(LETTERS, choices, strict=False)]
    if not all(marks):
        return list(choices)
    return [text[mark.end() :] for text, mark in zip(choices, marks, strict=True) if mark]


def _plain(text: str) -> str:
    """Lower-case words, single-spaced, without punctuation and articles."""
    without_articles = re.sub(r"\b(?:a|an|the)\s+(?=\w)", "", text.casefold())
    return " ".join(re.sub(r"[^\w\s]", " ", without_articles).split())
