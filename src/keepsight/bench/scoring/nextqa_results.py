"""NExT-QA's results files, multiple choice, in two shapes:

- as the published evaluation reads them: `{"<video>_<qid>": {"prediction": 4, "answer": 0}}`, indices from 0. The type
  of a question is in the annotations, `val.csv` or `test.csv`.
- list of `type`, `response` (free text), `choices` and `answer`, an index from 0.

Open-ended results (NExT-OE), `{"<video>": {"<qid>": "words"}}`, are scored by WUPS, which is not implemented.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.folder import read_csv
from keepsight.bench.scoring import nextqa
from keepsight.bench.scoring.choice import chosen_index
from keepsight.bench.scoring.result_files import Graded, ResultFile, choices_of, one_reply, whole
from keepsight.errors import DataError

_COLUMNS = ("video", "qid", "type", "answer")

Questions = Mapping[str, Annotation]
"""Rows of the annotations by `<video>_<qid>`."""


def read_questions(path: Path) -> Questions:
    """Questions of NExT-QA's annotations.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    return {f"{row.text('video')}_{row.text('qid')}": row for row in read_csv(path, _COLUMNS, "question")}


def grade_nextqa(files: Sequence[ResultFile], questions: Questions) -> list[Graded]:
    """Scores of all questions.

    Args:
        files: results.
        questions: annotations; may be empty for the second shape.

    Raises:
        DataError: a file has another shape, or a question is not in the annotations.
    """
    graded: list[Graded] = []
    for file in files:
        with file.reading("nextqa"):
            if isinstance(file.whole, dict):
                graded += _predictions(file.whole, questions)
            elif isinstance(file.whole, list):
                graded += map(_reply, file.whole)
            else:
                raise DataError(f"the file must be a JSON object or list, got {type(file.whole).__name__}")
    return graded


def _predictions(predictions: dict[str, Any], questions: Questions) -> Iterator[Graded]:
    if predictions and not questions:
        raise DataError("predictions do not tell the types of questions; give NExT-QA's val.csv with --annotations")
    for name, entry in predictions.items():
        if isinstance(entry, dict) and "prediction" not in entry and all(isinstance(x, str) for x in entry.values()):
            raise DataError(f"{name!r} must have a prediction and an answer; open-ended results are not supported")
        if name not in questions:
            raise DataError(f"question {name!r} must be one of the annotations; give those of the same split")
        yield _prediction(name, entry, questions[name])


def _prediction(name: str, entry: dict[str, Any], question: Annotation) -> Graded:
    right = whole(entry["answer"], f"answer of {name}")
    if right != question.whole("answer"):
        raise DataError(
            f"answer of {name} must be {question.whole('answer')} as in the annotations, got {right}; give those of "
            "the same split"
        )
    said = entry["prediction"]
    is_right = said is not None and whole(said, f"prediction of {name}") == right
    kind = question.text("type")
    return Graded(name, nextqa.group_of(kind), nextqa.reported_type(kind), (float(is_right),), (str(said),))


def _reply(entry: dict[str, Any]) -> Graded:
    kind, response = entry["type"], entry["response"]
    item = f"{entry['video']}_{entry['qid']}" if {"video", "qid"} <= set(entry) else ""
    reply = one_reply(response, item or f"an entry of {kind}")
    is_right = chosen_index(reply, choices_of(entry["choices"])) == whole(entry["answer"])
    return Graded(item, nextqa.group_of(kind), nextqa.reported_type(kind), (float(is_right),), (reply,))
