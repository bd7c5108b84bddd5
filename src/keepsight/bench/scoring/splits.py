"""Yes-no questions and the others, apart: a model that sees nothing is right on about half of the former.

Of RVS-Ego's answers 48 % are exactly yes or no, so its accuracy says little without this split.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from keepsight.bench.results import Prediction
from keepsight.errors import DataError


@dataclass(frozen=True)
class Part:
    """The answers to one sort of question.

    Attributes:
        num_questions: 0 or more.
        accuracy: mean score, None without questions.
        majority_answer: the right answer that is most frequent, of equally frequent ones the first asked; None
            without questions.
        majority_accuracy: exact matches of who always says that, an upper bound for a constant answer, as it is
            chosen with the right answers in sight.
    """

    num_questions: int
    accuracy: float | None
    majority_answer: str | None
    majority_accuracy: float | None


@dataclass(frozen=True)
class YesNoSplit:
    """One method's answers.

    Attributes:
        yes_no: to questions whose right answer is exactly yes or no; case and a closing stop do not count.
        other: to the rest.
    """

    yes_no: Part
    other: Part


def split_yes_no(predictions: Sequence[Prediction]) -> YesNoSplit:
    """Accuracy on either side of the split.

    Args:
        predictions: of one method, see `Results.of`.

    Raises:
        DataError: an answer has no score yet.
    """
    yes_no = [prediction for prediction in predictions if is_yes_no(prediction.right_answer)]
    other = [prediction for prediction in predictions if not is_yes_no(prediction.right_answer)]
    return YesNoSplit(_part(yes_no), _part(other))


def is_yes_no(right_answer: str) -> bool:
    """Whether a right answer is exactly yes or no; case and a closing stop do not count."""
    return _wording(right_answer) in {"yes", "no"}


def _part(predictions: Sequence[Prediction]) -> Part:
    if not predictions:
        return Part(0, None, None, None)
    scores = [prediction.score for prediction in predictions if prediction.score is not None]
    if len(scores) < len(predictions):
        raise DataError(
            f"{len(predictions) - len(scores)} of {len(predictions)} answers have no score yet; judge first"
        )
    answer, frequency = Counter(_wording(prediction.right_answer) for prediction in predictions).most_common(1)[0]
    return Part(len(scores), sum(scores) / len(scores), answer, frequency / len(scores))


def _wording(answer: str) -> str:
    return answer.strip().rstrip(".").casefold()
