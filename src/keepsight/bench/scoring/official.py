"""Scoring of results files by each benchmark's own rule. Supported formats, all JSON:

- ovobench: `{"backward": [...], "realtime": [...], "forward": [...]}`, any may be missing. Entries have `task`,
  `response` and `ground_truth` (a letter); those of `forward` have `task` and `test_info`, a list of `response` with
  `count` (REC) or `type` (SSR and CRR: 1 yes, 0 no). A response may be null.
- streamingbench: the annotation's list (or list of lists) with each reply in its question, under the model's name.
  Questions without a reply are skipped, as published, and counted.
- nextqa: list of `type`, `response`, `choices` and `answer`, an index from 0.
- cgbench: list of `sub_category`, `response`, `choices` and `right_answer`, a letter.
- keepsight: a Keepsight results file; its groups are the methods.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from keepsight.bench.results import Results
from keepsight.bench.scoring import nextqa, ovobench
from keepsight.bench.scoring.choice import LETTERS, chosen_index
from keepsight.bench.scoring.score_table import ScoreTable
from keepsight.bench.scoring.streamingbench import begins_with_letter
from keepsight.errors import DataError, SettingError
from keepsight.toyworld.questions import same_answer

_STREAMINGBENCH_FIELDS = frozenset(
    {"task_type", "question", "time_stamp", "answer", "options", "required_ability", "audio_path", "results"}
)
"""Fields of a question that are not replies; `results` has timings of some models."""

Graded = Iterator[tuple[str, str, float]]
"""Group, task and score of each answer."""


def score_file(benchmark: str, path: Path, *, model: str | None = None) -> ScoreTable:
    """Accuracies of a results file by the benchmark's official rule.

    Args:
        benchmark: a key of `READERS`.
        path: the file; see the module docstring for formats.
        model: model name, if a StreamingBench file has several; unused otherwise.

    Raises:
        SettingError: no such benchmark.
        DataError: the file is missing or has another shape.
    """
    if benchmark not in READERS:
        raise SettingError(f"benchmark must be one of {', '.join(READERS)}, got {benchmark!r}")
    try:
        return READERS[benchmark](path, model)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} must be a file of {benchmark} results: {type(error).__name__} {error}") from error


def _ovobench(path: Path, _: str | None) -> ScoreTable:
    whole = _read(path, dict)
    if not set(whole) <= set(ovobench.TASKS_OF_GROUP):
        raise DataError(f"parts of {path} must be {', '.join(ovobench.TASKS_OF_GROUP)}, got {', '.join(whole)}")
    graded = [entry for group in ovobench.TASKS_OF_GROUP for entry in _ovobench_part(group, whole.get(group, []))]
    return ScoreTable.of("ovobench", graded, by_task=True)


def _ovobench_part(group: str, entries: list[dict[str, Any]]) -> Graded:
    for entry in entries:
        task = entry["task"]
        if ovobench.group_of(task) != group:
            raise DataError(f"task {task} must be listed under {ovobench.group_of(task)}, got {group}")
        if group != "forward":
            yield group, task, float(ovobench.holds_letter(_reply(entry["response"]), _letter(entry["ground_truth"])))
            continue
        for test in entry["test_info"]:
            reply = _reply(test["response"])
            right = (
                ovobench.says_count(reply, _whole(test["count"]))
                if task == "REC"
                else ovobench.says_yes_or_no(reply, _whole(test["type"]) == 1)
            )
            yield group, task, float(right)


def _streamingbench(path: Path, model: str | None) -> ScoreTable:
    listed = _read(path, list)
    entries = [entry for item in listed for entry in (item if isinstance(item, list) else [item])]
    questions = [question for entry in entries for question in entry["questions"]]
    reply_field = model or _only_model(questions)
    answered = [question for question in questions if reply_field in question]
    graded = (
        ("", _text(q["task_type"]), float(begins_with_letter(_reply(q[reply_field]), _letter(q["answer"]))))
        for q in answered
    )
    return ScoreTable.of("streamingbench", graded, num_skipped=len(questions) - len(answered))


def _only_model(questions: list[dict[str, Any]]) -> str:
    models = {name for question in questions for name in question} - _STREAMINGBENCH_FIELDS
    if len(models) != 1:
        raise DataError(f"the file must hold replies of one model, got {', '.join(sorted(models)) or 'none'}; name one")
    return models.pop()


def _nextqa(path: Path, _: str | None) -> ScoreTable:
    def graded() -> Graded:
        for entry in _read(path, list):
            right = chosen_index(_reply(entry["response"]), _choices(entry["choices"])) == _whole(entry["answer"])
            yield nextqa.group_of(entry["type"]), nextqa.reported_type(entry["type"]), float(right)

    return ScoreTable.of("nextqa", graded())


def _cgbench(path: Path, _: str | None) -> ScoreTable:
    def graded() -> Graded:
        for entry in _read(path, list):
            right = LETTERS.index(_letter(entry["right_answer"]))
            named = chosen_index(_reply(entry["response"]), _choices(entry["choices"]))
            yield "", _text(entry["sub_category"]), float(named == right)

    return ScoreTable.of("cgbench", graded())


def _keepsight(path: Path, _: str | None) -> ScoreTable:
    """Exact match is recomputed; for other rules the file has the scores, but not their inputs."""
    results = Results.load(path)

    def graded() -> Graded:
        for answer in results.predictions:
            score = (
                float(same_answer(answer.answer, answer.right_answer)) if results.scoring == "exact" else answer.score
            )
            if score is None:
                raise DataError(f"{path}: the answer to {answer.question_id} has not been judged; run the judge first")
            yield answer.method, answer.task, score

    return ScoreTable.of("keepsight", graded())


READERS: Final[Mapping[str, Callable[[Path, str | None], ScoreTable]]] = MappingProxyType(
    {
        "ovobench": _ovobench,
        "streamingbench": _streamingbench,
        "nextqa": _nextqa,
        "cgbench": _cgbench,
        "keepsight": _keepsight,
    }
)
"""Benchmark -> reader and scorer of its files."""


def _read(path: Path, kind: type) -> Any:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(whole, kind):
        raise DataError(f"{path} must be a JSON {kind.__name__}, got {type(whole).__name__}")
    return whole


def _reply(response: object) -> str:
    """A reply; null means that a model failed, which is a wrong answer."""
    if response is not None and not isinstance(response, str):
        raise DataError(f"a response must be a string or null, got {response!r:.80}")
    return response or ""


def _choices(listed: object) -> list[str]:
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise DataError(f"choices must be a list of strings, got {listed!r:.80}")
    return listed


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise DataError(f"a task name must be a string, got {name!r:.80}")
    return name


def _letter(answer: object) -> str:
    if not isinstance(answer, str) or len(answer) != 1 or answer not in LETTERS:
        raise DataError(f"a correct answer must be one letter from A to Z, got {answer!r:.80}")
    return answer


def _whole(number: object) -> int:
    if type(number) is not int:
        raise DataError(f"a count, type or index must be a whole number, got {number!r:.80}")
    return number
