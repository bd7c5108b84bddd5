"""The official rule of StreamingBench (Lin et al., 2024, arXiv 2411.03628): only the reply's first letter counts."""

from dataclasses import dataclass

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.bench.scoring.choice import LETTERS
from keepsight.errors import DataError


@dataclass(frozen=True)
class StreamingBenchScorer:
    """Correct if the reply's first letter is the correct one, see `begins_with_letter`."""

    def score(self, question: Question, answer: str) -> Score:
        if question.answer_index is None:
            raise DataError(f"question {question.question_id} has no choices; scoring 'streamingbench' needs them")
        return Score(float(begins_with_letter(answer, LETTERS[question.answer_index])))


def begins_with_letter(reply: str, letter: str) -> bool:
    """Whether the reply's very first character is the letter: "(B)" and "The answer is B" are wrong, as published.

    White space in front does not count: the one place where this is more lenient than the published script.
    """
    return reply.lstrip()[:1] == letter
