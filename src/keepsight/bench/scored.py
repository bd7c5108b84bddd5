"""Scoring of a run's answers, separate from making them: another judge needs no new watching."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from keepsight.bench.records import DataSet
from keepsight.bench.results import Prediction
from keepsight.bench.scoring import Scorer


def score_all(
    predictions: Sequence[Prediction],
    data_set: DataSet,
    scorer: Scorer,
    *,
    num_threads: int = 1,
) -> tuple[Prediction, ...]:
    """Predictions with scores, in the same order.

    Args:
        predictions: answers to questions of the data set.
        data_set: has the questions.
        scorer: the rule.
        num_threads: answers scored in parallel, for waiting on a judge.

    Raises:
        JudgeError: the judge is unreachable or replies in another format.
    """
    questions = {question.question_id: question for video in data_set.videos for question in video.questions}

    def score(prediction: Prediction) -> Prediction:
        result = scorer.score(questions[prediction.question_id], prediction.answer)
        return replace(prediction, score=result.value, f1=result.f1, rating=result.rating)

    return tuple(_each(score, predictions, num_threads))


def _each(
    score: Callable[[Prediction], Prediction], predictions: Sequence[Prediction], num_threads: int
) -> Iterator[Prediction]:
    if num_threads == 1:
        yield from map(score, predictions)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        yield from pool.map(score, predictions)
