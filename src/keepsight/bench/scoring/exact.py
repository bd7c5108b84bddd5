"""Scoring of short answers with known wording: exact match and token F1."""

import string
from collections import Counter
from dataclasses import dataclass

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.toyworld.questions import same_answer

_ARTICLES = frozenset({"a", "an", "the"})
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class ExactScorer:
    """Correct if equal by `toyworld.questions.same_answer`; the F1 is `token_f1`."""

    def score(self, question: Question, answer: str) -> Score:
        return Score(float(same_answer(answer, question.answer)), token_f1(answer, question.answer))


def token_f1(given: str, right: str) -> float:
    """Harmonic mean of precision and recall of an answer's words, in any order, 0 to 1.

    Ignores case, punctuation and articles (Rajpurkar et al., "SQuAD", 2016, section 6.1, arXiv 1606.05250). Two answers
    without words are equal; one without words against one with words scores 0.
    """
    given_words, right_words = _words(given), _words(right)
    if not given_words or not right_words:
        return float(given_words == right_words)
    num_shared = (Counter(given_words) & Counter(right_words)).total()
    return 2 * num_shared / (len(given_words) + len(right_words))


def _words(answer: str) -> list[str]:
    return [word for word in answer.lower().translate(_NO_PUNCTUATION).split() if word not in _ARTICLES]
