"""RVS-Ego and RVS-Movie as lmms-eval data sets: one flat document per question, one score per metric."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from keepsight.bench.datasets.rvs import load_rvs_ego, load_rvs_movie
from keepsight.bench.datasets.sources import ArraySource, FileSource
from keepsight.bench.records import DataSet, FrameSource, Question, Video
from keepsight.bench.scoring.judge import JudgeScorer
from keepsight.bench.scoring.splits import is_yes_no
from keepsight.errors import DataError, SettingError
from keepsight.toyworld.questions import same_answer

Document = dict[str, Any]
"""`question_id`, `video_id`, `video_path`, `question`, `answer`, and `ask_time` in seconds, or in shots for arrays."""

LOADERS: Final[Mapping[str, Callable[[Path], DataSet]]] = MappingProxyType(
    {"rvs-ego": load_rvs_ego, "rvs-movie": load_rvs_movie}
)
"""How to read each data set from its folder."""


def read_documents(name: str, folder_variable: str) -> list[Document]:
    """All questions of a data set, in its order of videos, by time within a video.

    Args:
        name: a key of `LOADERS`.
        folder_variable: environment variable with the folder; see `bench.datasets.rvs` for its content.

    Raises:
        SettingError: the variable is not set.
        DataError: the folder does not match the data set.
    """
    folder = os.environ.get(folder_variable, "")
    if not folder:
        raise SettingError(f"{folder_variable} is not set; set it to the folder of {name}")
    data_set = LOADERS[name](Path(folder).expanduser())
    return [_document(video, question) for video in data_set.videos for question in video.questions]


def video_content(document: Mapping[str, Any]) -> dict[str, Any]:
    """Video part of a chat message, ending at the question's time."""
    return {"type": "video", "url": document["video_path"], "start_time": 0.0, "end_time": document["ask_time"]}


def score_reply(document: Mapping[str, Any], reply: str, scorer: JudgeScorer) -> dict[str, dict[str, Any]]:
    """Scores of a reply by metric, each with its video, since questions about one video are not independent.

    Without a judge its metrics are omitted and `unjudged` is 1. Metrics ending in `_yes_no` exist only if the correct
    answer is exactly yes or no, `judge_accuracy_open` otherwise.

    Raises:
        JudgeError: the judge is unreachable or gives no verdict.
    """
    question = Question(document["question_id"], document["question"], document["answer"])
    is_binary = is_yes_no(question.answer)
    score = scorer.score(question, reply)
    is_judged = scorer.judge is not None  # without a judge, only empty replies would count, as wrong
    values = {"token_f1": score.f1, "unjudged": float(not is_judged)}
    if is_judged:
        values["judge_accuracy"] = score.value
        values["judge_rating"] = score.rating
        values["judge_accuracy_yes_no" if is_binary else "judge_accuracy_open"] = score.value
    if is_binary:
        values["exact_yes_no"] = float(same_answer(reply, question.answer))
    return {name: {"score": value, "video_id": document["video_id"]} for name, value in values.items()}


def mean_score(items: list[dict[str, Any]]) -> float:
    """Mean of a metric's scores.

    Raises:
        DataError: there is none.
    """
    if not items:
        raise DataError("no scores to average; at least one question must be scored")
    return float(sum(item["score"] for item in items) / len(items))


def _document(video: Video, question: Question) -> Document:
    return {
        "question_id": question.question_id,
        "video_id": video.video_id,
        "video_path": str(_path(video.source)),
        "question": question.question,
        "answer": question.answer,
        "ask_time": question.ask_seconds,
    }


def _path(source: FrameSource) -> Path:
    if not isinstance(source, FileSource | ArraySource):
        raise DataError(f"a video must be one file, got {source!r}")
    return source.path
