"""The functions that rvs_ego.yaml and rvs_movie.yaml name. lmms-eval imports this file by its path."""

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
    """The data set that a pointer file names, flattened; the judge is looked for now, not hours into a run."""
    _scorer()
    return Dataset.from_list(read_documents(pointer[0]["data_set"], pointer[0]["folder_variable"]))


def doc_to_messages(document: Document) -> list[dict[str, Any]]:
    """What a chat model is asked."""
    text = {"type": "text", "text": document["question"]}
    return [{"role": "user", "content": [video_content(document), text]}]


def doc_to_visual(document: Document) -> list[dict[str, Any]]:
    """What other models are shown: never a bare path, which would let them see what comes after the question."""
    path, ask_time = document["video_path"], document["ask_time"]
    return [{"type": "video", "path": path, "video_start": 0.0, "video_end": ask_time}]


def process_results(document: Document, results: list[str]) -> dict[str, dict[str, Any]]:
    """Scores of one reply."""
    try:
        return score_reply(document, results[0], _scorer())
    except MalformedVerdictError as error:
        logger.warning("question %s is left unjudged: %s", document["question_id"], error)
        return score_reply(document, results[0], JudgeScorer())


@cache
def _scorer() -> JudgeScorer:
    """The scorer, made once: what it does depends on the environment alone."""
    judge = judge_from_environment()
    if judge is None:
        logger.warning("MODEL_VERSION names no judge, so only yes and no are scored, and the words in common")
    return JudgeScorer(judge)
