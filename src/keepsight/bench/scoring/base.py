"""What a rule of scoring gives for one answer, and what every such rule looks like."""

from dataclasses import dataclass
from typing import Protocol

from keepsight.bench.records import Question
from keepsight.errors import DataError

MAX_RATING = 5
"""The best mark that a judge gives."""


@dataclass(frozen=True)
class Score:
    """How good one answer is.

    Attributes:
        value: 1 right, 0 wrong, between them where the rule knows halves; None while it is not judged yet.
        f1: token F1 against the right answer, from 0 to 1; None where the rule has none.
        rating: a judge's mark from 0 to `MAX_RATING`; None where there was no judge.

    Raises:
        DataError: a number is outside its range.
    """

    value: float | None
    f1: float | None = None
    rating: int | None = None

    def __post_init__(self) -> None:
        for share in (self.value, self.f1):
            if share is not None and not 0 <= share <= 1:
                raise DataError(f"a score is from 0 to 1, not {share}")
        if self.rating is not None and not 0 <= self.rating <= MAX_RATING:
            raise DataError(f"a rating is from 0 to {MAX_RATING}, not {self.rating}")


class Scorer(Protocol):
    """A rule that compares answers with what is right. It holds settings, never state."""

    def score(self, question: Question, answer: str) -> Score:
        """How good an answer is; an empty answer is wrong, never an error.

        Raises:
            DataError: the question is of a kind that the rule does not know.
            JudgeError: a judge is needed, and it cannot be reached or does not answer as asked.
        """
