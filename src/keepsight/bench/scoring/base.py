"""Score of an answer, and the interface of scoring rules."""

from dataclasses import dataclass
from typing import Protocol

from keepsight.bench.records import Question
from keepsight.errors import DataError

MAX_RATING = 5
"""Highest rating of a judge."""


@dataclass(frozen=True)
class Score:
    """Score of an answer.

    Attributes:
        value: 1 correct, 0 wrong, between for partial credit; None until judged.
        f1: token F1 against the correct answer, 0 to 1; None if the rule has none.
        rating: a judge's rating from 0 to `MAX_RATING`, or None.

    Raises:
        DataError: a number is outside its range.
    """

    value: float | None
    f1: float | None = None
    rating: int | None = None

    def __post_init__(self) -> None:
        for share in (self.value, self.f1):
            if share is not None and not 0 <= share <= 1:
                raise DataError(f"a score must be between 0 and 1, got {share}")
        if self.rating is not None and not 0 <= self.rating <= MAX_RATING:
            raise DataError(f"a rating must be between 0 and {MAX_RATING}, got {self.rating}")


class Scorer(Protocol):
    """Rule that compares answers with correct ones. Has settings, never state."""

    def score(self, question: Question, answer: str) -> Score:
        """Score an answer; an empty answer is wrong, never an error.

        Raises:
            DataError: the rule does not support the question's kind.
            JudgeError: a judge is unreachable or replies in another format.
        """
