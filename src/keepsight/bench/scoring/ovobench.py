"""The official rule of OVO-Bench (Li et al., "OVO-Bench", 2025, arXiv 2501.05510) and the groups of its tasks.

The rule is lenient by design and kept as published, for comparability: capital letters are matched anywhere, so the
reply "A dog" contains the letter A, and "Not yet" contains "No".
"""

import re
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Final

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.bench.scoring.choice import LETTERS
from keepsight.errors import DataError

TASKS_OF_GROUP: Final = MappingProxyType(
    {
        "backward": ("EPM", "ASI", "HLD"),
        "realtime": ("OCR", "ACR", "ATR", "STU", "FPD", "OJR"),
        "forward": ("REC", "SSR", "CRR"),
    }
)
"""Group -> its tasks. Task accuracies are averaged per group, then groups are averaged."""


@dataclass(frozen=True)
class OvoBenchScorer:
    """The question determines the rule: choices, else yes or no, else an integer."""

    def score(self, question: Question, answer: str) -> Score:
        right = question.answer.strip()
        if question.answer_index is not None:
            return Score(float(holds_letter(answer, LETTERS[question.answer_index])))
        if right.casefold() in {"yes", "no"}:
            return Score(float(says_yes_or_no(answer, right.casefold() == "yes")))
        if right.isdecimal():
            return Score(float(says_count(answer, int(right))))
        raise DataError(f"question {question.question_id}: an OVO-Bench answer must be a choice, yes, no or a count")


def group_of(task: str) -> str:
    """The group of a task.

    Raises:
        DataError: no such task.
    """
    for group, tasks in TASKS_OF_GROUP.items():
        if task in tasks:
            return group
    raise DataError(f"OVO-Bench task must be one of {', '.join(chain(*TASKS_OF_GROUP.values()))}, got {task!r}")


def holds_letter(reply: str, letter: str) -> bool:
    """Backward and real-time tasks: the correct capital letter occurs anywhere in the reply."""
    return letter in reply


def says_count(reply: str, count: int) -> bool:
    """REC: all digits of the reply, read as one number, equal the count; so "3 of 5" reads 35."""
    return "".join(re.findall(r"\d", reply)) == str(count)


def says_yes_or_no(reply: str, yes: bool) -> bool:
    """SSR and CRR: the reply is the single letter Y or N, or contains the correct capitalised word."""
    word = "Yes" if yes else "No"
    return reply == word[0] or word in reply
