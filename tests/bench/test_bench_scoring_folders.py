"""Folders of results files, items that occur twice, and replies in lists; expected numbers are worked out by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from keepsight.bench.results import Prediction, Results
from keepsight.bench.scoring.official import score_results
from keepsight.errors import DataError


def save(folder: Path, files: Mapping[str, object]) -> Path:
    for name, whole in files.items():
        (folder / name).write_text(json.dumps(whole), encoding="utf-8")
    return folder


def choice(number: int, task: str, response: object, right: str) -> dict[str, Any]:
    return {"id": number, "video": "a.mp4", "task": task, "question": "?", "response": response, "ground_truth": right}


def forward(number: int, task: str, *tests: tuple[object, int]) -> dict[str, Any]:
    name = "count" if task == "REC" else "type"
    listed = [{"realtime": 1.5, name: right, "response": response} for response, right in tests]
    return {"id": number, "task": task, "video": "a.mp4", "test_info": listed}


def parts(**given: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """A file as the published evaluation writes it, with all three parts."""
    return {"backward": [], "realtime": [], "forward": []} | given


TASKS = {
    "Model_EPM_offline_1.json": parts(backward=[choice(0, "EPM", "A", "A"), choice(1, "EPM", "B", "A")]),
    "Model_ASI_offline_1.json": parts(backward=[choice(2, "ASI", "C", "C")]),
    "Model_HLD_offline_1.json": parts(backward=[choice(3, "HLD", "C", "D"), choice(4, "HLD", None, "D")]),
    "Model_OCR_ACR_ATR_offline_1.json": parts(
        realtime=[choice(5, "OCR", "A", "A"), choice(6, "ACR", "B", "A"), choice(7, "ATR", "C", "C")]
    ),
    "Model_STU_FPD_OJR_offline_1.json": parts(
        realtime=[choice(8, "STU", "A", "B"), choice(9, "FPD", "B", "B"), choice(10, "OJR", "D", "A")]
    ),
    "Model_REC_offline_1.json": parts(forward=[forward(11, "REC", ("1", 1), ("2", 2), ("2", 3), ("5", 4))]),
    "Model_SSR_CRR_offline_1.json": parts(
        forward=[forward(12, "SSR", ("Yes", 1), ("Yes", 0)), forward(13, "CRR", ("No", 0))]
    ),
}
"""Backward 1/2, 1, 0; real-time 1, 0, 1, 0, 1, 0; forward 1/2, 1/2, 1."""


def test_a_folder_with_a_file_for_each_task_gives_the_groups_that_papers_quote(tmp_path: Path) -> None:
    save(tmp_path, TASKS)
    (tmp_path / "notes.txt").write_text("not results", encoding="utf-8")
    (tmp_path / ".hidden.json").write_text("not results", encoding="utf-8")
    table = score_results("ovobench", tmp_path)
    assert table.groups == pytest.approx({"backward": 1 / 2, "realtime": 1 / 2, "forward": 2 / 3})
    assert table.overall == pytest.approx((1 / 2 + 1 / 2 + 2 / 3) / 3)
    assert " ".join(row.task for row in table.rows) == "EPM ASI HLD OCR ACR ATR STU FPD OJR REC SSR CRR"
    assert (table.num_questions, table.notes) == (18, ())


def test_one_file_with_all_parts_scores_as_the_folder_does(tmp_path: Path) -> None:
    together = {group: [entry for whole in TASKS.values() for entry in whole[group]] for group in parts()}
    (tmp_path / "folder").mkdir()
    assert score_results("ovobench", save(tmp_path, {"all.json": together}) / "all.json") == score_results(
        "ovobench", save(tmp_path / "folder", TASKS)
    )


def test_an_item_in_several_files_counts_once_and_is_told(tmp_path: Path) -> None:
    again = {
        "a.json": parts(backward=[choice(0, "EPM", "A", "A"), choice(1, "EPM", "B", "B"), choice(1, "ASI", "B", "B")]),
        "b.json": parts(backward=[choice(0, "EPM", "C", "A"), choice(1, "EPM", "B", "B"), choice(2, "EPM", "B", "A")]),
        "c.json": parts(backward=[choice(0, "EPM", "A", "A")], forward=[forward(0, "REC", ("1", 1))] * 2),
    }
    table = score_results("ovobench", save(tmp_path, again))
    assert [(row.task, row.num_questions) for row in table.rows] == [("EPM", 3), ("ASI", 1), ("REC", 1)]
    assert table.rows[0].accuracy == pytest.approx(2 / 3)
    assert table.notes[0] == (
        "items that occur more than once: 3, such as EPM 0; each counts once, with its first reply in order of file "
        "names; 1 of them with another reply elsewhere"
    )
    assert table.notes[1].startswith("no answers for HLD, OCR, ")
    assert len(table.notes) == 2


def test_entries_without_an_id_are_all_counted(tmp_path: Path) -> None:
    entry = {"task": "EPM", "response": "A", "ground_truth": "A"}
    table = score_results("ovobench", save(tmp_path, {"a.json": {"backward": [entry, entry]}}))
    assert table.num_questions == 2


def test_lists_of_one_string_are_that_string(tmp_path: Path) -> None:
    """As a list, "A." is not the letter, "Yes." not the word, and no count can be read; null is a failed reply."""
    whole = parts(
        backward=[choice(0, "EPM", ["A"], "A"), choice(1, "EPM", ["A."], "A"), choice(2, "EPM", [None], "A")],
        realtime=[choice(3, "OCR", "B.", "B")],
        forward=[
            forward(4, "REC", (["3 times"], 3)),
            forward(5, "SSR", (["Yes."], 1), (["No"], 0), ("No", 1)),
        ],
    )
    table = score_results("ovobench", save(tmp_path, {"a.json": whole}) / "a.json")
    assert [row.accuracy for row in table.rows] == pytest.approx([2 / 3, 1, 1, 2 / 3])
    assert table.notes[0] == (
        "replies that are lists of one string: 6, scored as that string; the published script compares the list as a "
        "whole, which gives 3 of them another score or none"
    )


def test_a_forward_entry_may_list_the_replies_of_its_tests(tmp_path: Path) -> None:
    entry = forward(7, "REC", ("", 1), ("", 2), ("", 2))
    for test in entry["test_info"]:
        del test["response"]
    whole = parts(forward=[{**entry, "response": ["1", "so far 2", None]}])
    table = score_results("ovobench", save(tmp_path, {"a.json": whole}))
    assert (table.rows[0].accuracy, table.rows[0].num_questions) == (pytest.approx(2 / 3), 3)
    for response in (["1", "2"], "1", ["1", "2", ["2", "3"]]):
        save(tmp_path, {"a.json": parts(forward=[{**entry, "response": response}])})
        with pytest.raises(DataError, match=r"a\.json: response of (test 2 of )?REC 7 must be"):
            score_results("ovobench", tmp_path)
    save(tmp_path, {"a.json": parts(forward=[entry])})
    with pytest.raises(DataError, match=r"a\.json: test 0 of REC 7 must have a response, got none"):
        score_results("ovobench", tmp_path)


def test_a_reply_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    save(tmp_path, {"a.json": parts(), "b.json": parts(realtime=[choice(31, "OJR", ["A", "B"], "A")])})
    with pytest.raises(DataError, match=r"b\.json: response of OJR 31 must be a string, null, or a list of one string"):
        score_results("ovobench", tmp_path)
    save(tmp_path, {"b.json": parts(forward=[forward(32, "SSR", ("Yes", 1), (["Yes", "No"], 1))])})
    with pytest.raises(DataError, match=r"b\.json: response of test 1 of SSR 32 must be"):
        score_results("ovobench", tmp_path)


def streaming(time_stamp: str, **replies: str) -> dict[str, Any]:
    listed = {"task_type": "Counting", "question": "?", "time_stamp": time_stamp, "answer": "A", "options": ["A. x"]}
    return {**listed, "required_ability": "working memory", **replies}


def test_folders_of_the_other_benchmarks(tmp_path: Path) -> None:
    """StreamingBench: A of A, B and A; CG-Bench: A and B of A."""
    for name in ("streaming", "cg", "own", "mixed", "empty"):
        (tmp_path / name).mkdir()
    video = {"video_path": "a.mp4", "questions": [streaming("00:01:00", Toy="A"), streaming("00:02:00", Toy="B")]}
    other = {"video_path": "b.mp4", "questions": [streaming("00:01:00", Toy="A"), streaming("00:03:00")]}
    table = score_results("streamingbench", save(tmp_path / "streaming", {"1.json": [video], "2.json": [video, other]}))
    assert (table.overall, table.num_questions, table.num_skipped) == (pytest.approx(2 / 3), 3, 1)
    assert table.notes[1] == "questions without a reply, which count nowhere: 1"
    entry = {"qid": 1, "sub_category": "Cooking", "right_answer": "A", "choices": ["x", "y"]}
    files = {"1.json": [{**entry, "response": "A"}], "2.json": [{**entry, "qid": 2, "response": ["B"]}]}
    assert score_results("cgbench", save(tmp_path / "cg", files)).overall == 1 / 2

    for name, data_set, method in (("1", "toy", "one"), ("2", "toy", "two"), ("3", "films", "two")):
        answers = (Prediction(method, "v", "q", "where", "?", "left", "left" if name == "1" else "right"),)
        run = Results(data_set, "", "exact", {method: ""}, {}, answers)
        if data_set == "toy":
            run.save(tmp_path / "own" / f"{name}.json")
        run.save(tmp_path / "mixed" / f"{name}.json")
    assert score_results("keepsight", tmp_path / "own").groups == {"one": 1, "two": 0}
    with pytest.raises(DataError, match="of one data set, got toy, films"):
        score_results("keepsight", tmp_path / "mixed")
    with pytest.raises(DataError, match=r"must hold results files, got no \*\.json in it"):
        score_results("cgbench", tmp_path / "empty")
