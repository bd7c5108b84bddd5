"""Scoring of results by each benchmark's own rule, from one JSON file or a folder of them. Formats:

- ovobench: see `ovobench_results`.
- nextqa: see `nextqa_results`.
- streamingbench: the annotation's list (or list of lists) with each reply in its question, under the model's name.
  Questions without a reply are skipped, as published, and counted.
- cgbench: list of `sub_category`, `response`, `choices` and `right_answer`, a letter; `qid` tells items apart.
- keepsight: Keepsight's results files of one data set; their groups are the methods. X-Stream's score is the judge's
  mean rating.

An item that occurs again counts once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from keepsight.bench.results import Prediction, Results
from keepsight.bench.scoring.base import MAX_RATING
from keepsight.bench.scoring.choice import LETTERS, chosen_index
from keepsight.bench.scoring.nextqa import TYPES_OF_GROUP
from keepsight.bench.scoring.nextqa_results import grade_nextqa, read_questions
from keepsight.bench.scoring.ovobench import TASKS_OF_GROUP
from keepsight.bench.scoring.ovobench_results import grade_ovobench
from keepsight.bench.scoring.result_files import (
    Graded,
    ResultFile,
    choices_of,
    letter,
    list_note,
    one_reply,
    read_files,
    task_name,
    without_repeats,
)
from keepsight.bench.scoring.score_table import ScoreTable
from keepsight.bench.scoring.streamingbench import begins_with_letter
from keepsight.errors import DataError, SettingError
from keepsight.toyworld.questions import same_answer

_VIDEO = "video_path"

_STREAMINGBENCH_FIELDS = frozenset(
    {"task_type", "question", "time_stamp", "answer", "options", "required_ability", "audio_path", "results", _VIDEO}
)
"""Fields of a question that are not replies; `results` has timings of some models."""

_RATED = frozenset({"xstream"})
"""Data sets whose published score is the judge's mean rating, not the share of answers that it calls right."""


@dataclass(frozen=True)
class Extras:
    """What some benchmarks need beside the results.

    Attributes:
        model: model name, if StreamingBench files have several.
        annotations: NExT-QA's `val.csv` or `test.csv`.
    """

    model: str | None = None
    annotations: Path | None = None


def score_results(
    benchmark: str, path: Path, *, model: str | None = None, annotations: Path | None = None
) -> ScoreTable:
    """Accuracies of results by the benchmark's official rule.

    Args:
        benchmark: a key of `READERS`.
        path: a file, or a folder whose `*.json` files are read together; see the module docstring for formats.
        model: model name, if StreamingBench files have several; unused otherwise.
        annotations: NExT-QA's `val.csv` or `test.csv`, for predictions in its published shape.

    Raises:
        SettingError: no such benchmark, or one that does not read annotations.
        DataError: a file is missing or has another shape.
    """
    if benchmark not in READERS:
        raise SettingError(f"benchmark must be one of {', '.join(READERS)}, got {benchmark!r}")
    if annotations is not None and benchmark != "nextqa":
        raise SettingError(f"annotations must be left out for {benchmark}, got {annotations}; only nextqa reads them")
    return READERS[benchmark](read_files(path), Extras(model, annotations))


def _ovobench(files: Sequence[ResultFile], _: Extras) -> ScoreTable:
    return _table("ovobench", grade_ovobench(files), expected=TASKS_OF_GROUP, by_task=True)


def _nextqa(files: Sequence[ResultFile], extras: Extras) -> ScoreTable:
    questions = {} if extras.annotations is None else read_questions(extras.annotations)
    graded = grade_nextqa(files, questions)
    num_skipped = len(questions.keys() - {one.item for one in graded})
    return _table("nextqa", graded, expected=TYPES_OF_GROUP, num_skipped=num_skipped)


def _streamingbench(files: Sequence[ResultFile], extras: Extras) -> ScoreTable:
    listed = {file.path: _streaming_questions(file) for file in files}
    reply_field = extras.model or _only_model(question for questions in listed.values() for question in questions)
    graded: list[Graded] = []
    for file in files:
        with file.reading("streamingbench"):
            answered = [question for question in listed[file.path] if reply_field in question]
            graded += _streaming_replies(answered, reply_field)
    num_questions = sum(map(len, listed.values()))
    return _table("streamingbench", graded, num_skipped=num_questions - len(graded))


def _streaming_questions(file: ResultFile) -> list[dict[str, Any]]:
    """Questions of a file, each with its video."""
    with file.reading("streamingbench"):
        entries = [entry for item in _list_of(file) for entry in (item if isinstance(item, list) else [item])]
        return [{**asked, _VIDEO: entry.get(_VIDEO)} for entry in entries for asked in entry["questions"]]


def _streaming_replies(questions: Iterable[dict[str, Any]], reply_field: str) -> Iterator[Graded]:
    """Scores of a file's questions. They have no ids, and one may be asked again at the same time of the video."""
    times_asked: Counter[str] = Counter()
    for question in questions:
        name = " ".join(str(question.get(field)) for field in (_VIDEO, "time_stamp", "question"))
        times_asked[name] += 1
        item = f"{name} ({times_asked[name]})"
        reply, right = one_reply(question[reply_field], name), letter(question["answer"])
        yield Graded(item, "", task_name(question["task_type"]), (float(begins_with_letter(reply, right)),), (reply,))


def _only_model(questions: Iterable[dict[str, Any]]) -> str:
    models = {name for question in questions for name in question} - _STREAMINGBENCH_FIELDS
    if len(models) != 1:
        raise DataError(
            f"results must hold replies of one model, got {', '.join(sorted(models)) or 'none'}; name one with --model"
        )
    return models.pop()


def _cgbench(files: Sequence[ResultFile], _: Extras) -> ScoreTable:
    graded = []
    for file in files:
        with file.reading("cgbench"):
            graded += [_cgbench_reply(entry) for entry in _list_of(file)]
    return _table("cgbench", graded)


def _cgbench_reply(entry: dict[str, Any]) -> Graded:
    item = str(entry.get("qid", ""))
    reply = one_reply(entry["response"], f"question {item}" if item else "a question")
    right = LETTERS.index(letter(entry["right_answer"]))
    is_right = chosen_index(reply, choices_of(entry["choices"])) == right
    return Graded(item, "", task_name(entry["sub_category"]), (float(is_right),), (reply,))


def _keepsight(files: Sequence[ResultFile], _: Extras) -> ScoreTable:
    """Exact match is recomputed; for other rules the file has the scores, but not their inputs."""
    runs = {file.path: Results.load(file.path) for file in files}
    names = dict.fromkeys(results.data_set for results in runs.values())
    if len(names) > 1:
        raise DataError(f"results must be of one data set, got {', '.join(names)}; score each alone")
    return _table("keepsight", [one for path, results in runs.items() for one in _own_answers(path, results)])


def _own_answers(path: Path, results: Results) -> Iterable[Graded]:
    for answer in results.predictions:
        score = _own_score(results, answer)
        if score is None:
            raise DataError(f"{path}: the answer to {answer.question_id} has not been judged; run the judge first")
        item = f"{answer.question_id} by {answer.method}"
        yield Graded(item, answer.method, answer.task, (score,), (answer.answer,))


def _own_score(results: Results, answer: Prediction) -> float | None:
    if results.scoring == "exact":
        return float(same_answer(answer.answer, answer.right_answer))
    if results.data_set in _RATED:
        return None if answer.rating is None else answer.rating / MAX_RATING
    return answer.score


READERS: Final[Mapping[str, Callable[[Sequence[ResultFile], Extras], ScoreTable]]] = MappingProxyType(
    {
        "ovobench": _ovobench,
        "streamingbench": _streamingbench,
        "nextqa": _nextqa,
        "cgbench": _cgbench,
        "keepsight": _keepsight,
    }
)
"""Benchmark -> reader and scorer of its files."""


def _table(
    benchmark: str,
    graded: Iterable[Graded],
    *,
    expected: Mapping[str, Sequence[str]] | None = None,
    by_task: bool = False,
    num_skipped: int = 0,
) -> ScoreTable:
    kept, repeats = without_repeats(graded)
    skipped = f"questions without a reply, which count nowhere: {num_skipped}" if num_skipped else ""
    return ScoreTable.of(
        benchmark,
        ((one.group, one.task, score) for one in kept for score in one.scores),
        expected=expected,
        by_task=by_task,
        num_skipped=num_skipped,
        notes=[note for note in (repeats, list_note(kept), skipped) if note],
    )


def _list_of(file: ResultFile) -> list[Any]:
    if not isinstance(file.whole, list):
        raise DataError(f"the file must be a JSON list, got {type(file.whole).__name__}")
    return file.whole
