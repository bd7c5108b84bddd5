"""Functions named in rvs_ego.yaml and rvs_movie.yaml. lmms-eval imports this file by path."""

import logging
from functools import cache
from typing import Any

from datasets import Dataset

from keepsight.bench.scoring.judge import JudgeScorer
from keepsight.errors import MalformedVerdictError
from keepsight.lmms_plugin.judging import judge_from_environment
from keepsight.lmms_plugin.rvs_documents import Document, read_documents, score_reply, video_content
from keepsight.lmms_plugin.rvs_documents import mean_score as mean_score

logger = logging.getLogger(__name__)


def process_docs(pointer: Dataset) -> Dataset:
    """Data set that a pointer file names, flattened; checks for a judge now, not hours into a run."""
    _scorer()
    return Dataset.from_list(read_documents(pointer[0]["data_set"], pointer[0]["folder_variable"]))


def doc_to_messages(document: Document) -> list[dict[str, Any]]:
    """Messages for chat models."""
    text = {"type": "text", "text": document["question"]}
    return [{"role": "user", "content": [video_content(document), text]}]


def doc_to_visual(document: Document) -> list[dict[str, Any]]:
    """Input for other models: never a bare path, which would show what follows the question."""
    path, ask_time = document["video_path"], document["ask_time"]
    return [{"type": "video", "path": path, "video_start": 0.0, "video_end": ask_time}]


def process_results(document: Document, results: list[str]) -> dict[str, dict[str, Any]]:
    """Scores of a reply."""
    try:
        return score_reply(document, results[0], _scorer())
    except MalformedVerdictError as error:
        logger.warning("could not judge question %s: %s", document["question_id"], error)
        return score_reply(document, results[0], JudgeScorer())


@cache
def _scorer() -> JudgeScorer:
    """The scorer, made once, since it depends only on the environment."""
    judge = judge_from_environment()
    if judge is None:
        logger.warning("MODEL_VERSION names no judge; scoring only yes/no answers and shared words")
    return JudgeScorer(judge)
