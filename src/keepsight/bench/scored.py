"""Scoring the answers of a run, apart from making them: another judge needs no video to be watched again."""

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
    """The predictions with their scores, in the same order.

    Args:
        predictions: answers to questions of the data set.
        data_set: has the questions.
        scorer: the rule.
        num_threads: answers scored at a time; more than one where a judge is waited for.

    Raises:
        JudgeError: the judge cannot be reached or does not answer as asked.
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
