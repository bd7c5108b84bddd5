"""How Video-MME (arXiv 2405.21075) and LVBench (arXiv 2406.08035) read the choice from a reply, as published.

Both take one letter where it stands, without asking what the words say: "Both are wrong" is B for Video-MME. A reply
without letter is wrong here, while Video-MME's script leaves it out of the count.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.bench.scoring.choice import LETTERS
from keepsight.errors import DataError

_ANNOUNCEMENTS = ("The best answer is", "The correct answer is", "The answer is", "The answer")


@dataclass(frozen=True)
class VideoMmeScorer:
    """Correct if the reply's first capital A, B, C or D is the correct letter, see `letter_in_videomme`."""

    def score(self, question: Question, answer: str) -> Score:
        return _score(question, answer, letter_in_videomme, "videomme")


@dataclass(frozen=True)
class LvBenchScorer:
    """Correct if the letter where the reply has its choice is the correct one, see `letter_in_lvbench`."""

    def score(self, question: Question, answer: str) -> Score:
        return _score(question, answer, letter_in_lvbench, "lvbench")


def letter_in_videomme(reply: str) -> str:
    """The first capital A, B, C or D of a reply, after announcements such as "The answer is"; empty without one."""
    for announcement in _ANNOUNCEMENTS:
        reply = reply.replace(announcement, "")
    found = re.search("[ABCD]", reply)
    return "" if found is None else found[0]


def letter_in_lvbench(reply: str) -> str:
    """The first character of a reply, or of its first brackets: `B` in `B`, `B) a map` and `It is (B)`."""
    head = reply.strip().split(")")[0].strip()
    _, bracket, inside = head.partition("(")
    return (inside.split("(")[0] if bracket else head).strip()[:1]


def _score(question: Question, answer: str, letter_of: Callable[[str], str], rule: str) -> Score:
    if question.answer_index is None:
        raise DataError(f"question {question.question_id} has no choices; scoring {rule!r} needs them")
    return Score(float(letter_of(answer) == LETTERS[question.answer_index]))
