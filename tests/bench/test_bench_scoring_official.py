"""Files of results in the benchmarks' published shapes, scored again; expected numbers are worked out by hand."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from keepsight.bench.results import Prediction, Results
from keepsight.bench.scoring.official import READERS, score_results
from keepsight.bench.scoring.score_table import ScoreRow
from keepsight.errors import DataError, SettingError


def saved(tmp_path: Path, whole: object) -> Path:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def about(group: str, task: str, accuracy: float, num_questions: int) -> ScoreRow:
    """The row of an accuracy that is compared with a tolerance."""
    near: Any = pytest.approx(accuracy)
    return ScoreRow(group, task, near, num_questions)


NUMBERS = itertools.count()


def letter(task: str, response: str | None, right: str) -> dict[str, Any]:
    told = {"video": "a.mp4", "task": task, "question": "?", "response": response, "ground_truth": right}
    return {"id": next(NUMBERS), **told}


def forward(task: str, *tests: tuple[str | None, int]) -> dict[str, Any]:
    name = "count" if task == "REC" else "type"
    listed = [{"realtime": 1, name: right, "response": response} for response, right in tests]
    return {"id": next(NUMBERS), "task": task, "test_info": listed}


OVO = {
    "backward": [
        letter("EPM", "B", "B"),
        letter("EPM", "A dog", "B"),
        letter("EPM", "C.", "C"),
        letter("ASI", None, "A"),
    ],
    "realtime": [letter("OCR", "It is D", "D")],
    "forward": [
        forward("REC", ("3 times", 3), ("2", 3)),
        forward("REC", ("4", 4)),
        forward("SSR", ("Yes", 1), ("N", 0), ("No", 1), (None, 0)),
        forward("CRR", ("Y", 1)),
    ],
}


def test_ovobench_averages_tasks_then_groups(tmp_path: Path) -> None:
    table = score_results("ovobench", saved(tmp_path, OVO))
    assert table.rows == (
        about("backward", "EPM", 2 / 3, 3),
        ScoreRow("backward", "ASI", 0, 1),
        ScoreRow("realtime", "OCR", 1, 1),
        about("forward", "REC", 2 / 3, 3),
        ScoreRow("forward", "SSR", 0.5, 4),
        ScoreRow("forward", "CRR", 1, 1),
    )
    forward_mean = (2 / 3 + 1 / 2 + 1) / 3
    assert table.groups == pytest.approx({"backward": 1 / 3, "realtime": 1, "forward": forward_mean})
    assert table.overall == pytest.approx((1 / 3 + 1 + forward_mean) / 3)
    assert table.mean_of_tasks == pytest.approx((2 / 3 + 0 + 1 + 2 / 3 + 1 / 2 + 1) / 6)
    assert table.num_questions == 13
    assert table.notes == ("no answers for HLD, ACR, ATR, STU, FPD, OJR; the averages leave them out",)


def test_ovobench_with_one_part_only(tmp_path: Path) -> None:
    table = score_results("ovobench", saved(tmp_path, {"backward": [letter("HLD", "A", "A")], "realtime": []}))
    assert (table.overall, table.num_questions) == (1, 1)


def streaming(task: str, right: str, **replies: str | None) -> dict[str, Any]:
    listed = {"task_type": task, "question": "?", "time_stamp": "00:00:31", "answer": right, "options": ["A. x"]}
    return {**listed, "required_ability": "working memory", **replies}


STREAMING = [
    {"video_path": "a.mp4", "questions": [streaming("Counting", "A", Toy="A"), streaming("Counting", "B", Toy="(B)")]},
    {"video_path": "b.mp4", "questions": [streaming("Clips", "C", Toy="C. x"), streaming("Clips", "C")]},
    {"video_path": "c.mp4", "questions": [streaming("Clips", "D", Toy=None), streaming("Clips", "D", Toy="D")]},
]


@pytest.mark.parametrize("whole", [STREAMING, [STREAMING[:1], STREAMING[1:]]])
def test_streamingbench_takes_the_reply_from_under_the_models_name(whole: object, tmp_path: Path) -> None:
    table = score_results("streamingbench", saved(tmp_path, whole))
    assert table.rows == (ScoreRow("", "Counting", 0.5, 2), about("", "Clips", 2 / 3, 3))
    assert (table.overall, table.num_skipped) == (pytest.approx(3 / 5), 1)


def test_streamingbench_with_two_models_asks_which(tmp_path: Path) -> None:
    whole = [{"questions": [streaming("Counting", "A", One="A", Other="B")]}]
    path = saved(tmp_path, whole)
    with pytest.raises(DataError, match="got One, Other"):
        score_results("streamingbench", path)
    assert score_results("streamingbench", path, model="One").overall == 1
    assert score_results("streamingbench", path, model="Other").overall == 0


def test_nextqa_weighs_questions_alike_and_counts_tp_in_tn(tmp_path: Path) -> None:
    choices = ["sit", "run", "a hat", "sing", "wave"]
    entries = [
        {"type": kind, "response": response, "answer": 1, "choices": choices}
        for kind, response in [("TP", "B"), ("TN", "A"), ("TC", "run"), ("CW", "they run"), ("DO", None)]
    ]
    table = score_results("nextqa", saved(tmp_path, entries))
    assert table.rows[:3] == (ScoreRow("C", "CW", 1, 1), ScoreRow("T", "TN", 0.5, 2), ScoreRow("T", "TC", 1, 1))
    assert table.groups == pytest.approx({"T": 2 / 3, "C": 1, "D": 0})
    assert table.overall == pytest.approx(3 / 5)


def test_cgbench(tmp_path: Path) -> None:
    entries = [
        {"qid": number, "sub_category": "Cooking", "response": reply, "right_answer": "E", "choices": list("vwxyz")}
        for number, reply in enumerate(("E", "The answer is (E).", "A"))
    ]
    assert score_results("cgbench", saved(tmp_path, entries)).rows == (about("", "Cooking", 2 / 3, 3),)


def results(scoring: str, *answers: tuple[str, str, float | None]) -> Results:
    predictions = tuple(
        Prediction(method, "v", str(number), "where", "?", "the left", answer, score)
        for number, (method, answer, score) in enumerate(answers)
    )
    return Results("toy", "", scoring, {"one": "", "two": ""}, {}, predictions)


def test_our_results_are_matched_again_where_that_is_possible(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    results("exact", ("one", "The left.", 0.0), ("two", "the right", 1.0)).save(path)
    assert score_results("keepsight", path).groups == {"one": 1, "two": 0}
    results("choice", ("one", "B", 1.0), ("two", "A", 0.0)).save(path)
    assert score_results("keepsight", path).groups == {"one": 1, "two": 0}


def test_our_results_that_were_not_judged_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    results("judge", ("one", "left", None)).save(path)
    with pytest.raises(DataError, match="has not been judged"):
        score_results("keepsight", path)


WRONG: list[tuple[str, object]] = [
    ("ovobench", []),
    ("ovobench", {}),
    ("ovobench", {"sideways": []}),
    ("ovobench", {"backward": None}),
    ("ovobench", {"backward": [{"task": "EPM"}]}),
    ("ovobench", {"backward": [letter("OCR", "A", "A")]}),
    ("ovobench", {"backward": [letter("EPM", "A", "")]}),
    ("ovobench", {"backward": [letter("EPM", "A", "the dog")]}),
    ("ovobench", {"backward": [letter("EPM", 3, "A")]}),  # type: ignore[arg-type]
    ("ovobench", {"backward": [letter("EPM", ["A", "B"], "A")]}),  # type: ignore[arg-type]
    ("ovobench", {"backward": [letter("EPM", [], "A")]}),  # type: ignore[arg-type]
    ("ovobench", {"backward": ["EPM"]}),
    ("ovobench", {"forward": [letter("REC", "3", "A")]}),
    ("ovobench", {"forward": [forward("REC", ("3", "3"))]}),  # type: ignore[arg-type]
    ("ovobench", {"forward": [{"task": "SSR", "test_info": [{"type": 1}]}]}),
    ("streamingbench", {}),
    ("streamingbench", [{"questions": [streaming("Counting", "A")]}]),
    ("streamingbench", [{"questions": [streaming("Counting", "x", Toy="A")]}]),
    ("streamingbench", [{"questions": [{**streaming("Counting", "A", Toy="A"), "task_type": 3}]}]),
    ("streamingbench", [3]),
    ("nextqa", [{"type": "CW", "response": "B", "answer": "1", "choices": ["a", "b"]}]),
    ("nextqa", [{"type": "XX", "response": "B", "answer": 1, "choices": ["a", "b"]}]),
    ("nextqa", [{"type": "CW", "response": "B", "answer": 1, "choices": "ab"}]),
    ("nextqa", [{"type": ["CW"], "response": "B", "answer": 1, "choices": ["a", "b"]}]),
    ("nextqa", []),
    ("nextqa", {}),
    ("nextqa", {"1_0": {"prediction": 1, "answer": 1}}),
    ("cgbench", [{"response": "A", "right_answer": "A", "choices": []}]),
    ("keepsight", {"format": 1}),
]


@pytest.mark.parametrize(("benchmark", "whole"), WRONG)
def test_other_shapes_are_refused(benchmark: str, whole: object, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        score_results(benchmark, saved(tmp_path, whole))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("benchmark", READERS)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"3"])
def test_files_that_are_no_json_of_the_kind_are_refused(benchmark: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        score_results(benchmark, path)


@pytest.mark.parametrize("benchmark", READERS)
def test_a_missing_file_is_named(benchmark: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json"):
        score_results(benchmark, tmp_path / "gone.json")


def test_a_benchmark_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="got 'imagenet'"):
        score_results("imagenet", tmp_path / "x.json")
    with pytest.raises(SettingError, match="only nextqa reads them"):
        score_results("ovobench", tmp_path / "x.json", annotations=tmp_path / "val.csv")
