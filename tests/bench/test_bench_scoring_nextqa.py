"""NExT-QA's published predictions with its annotations, and its groups in the tables of a run; counted by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from keepsight.bench.chapter_tables import make_tables
from keepsight.bench.experiments import Experiment
from keepsight.bench.records import DataSet
from keepsight.bench.results import Prediction, Results
from keepsight.bench.scoring.official import score_results
from keepsight.bench.scoring.score_table import ScoreRow
from keepsight.errors import DataError

HEADER = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"
ROWS = [("CW", 0), ("CW", 4), ("CH", 1), ("TN", 2), ("TP", 3), ("TC", 0), ("DC", 1), ("DL", 2), ("DO", 3), ("DO", 4)]
"""Type and right choice of each question; its number is its `qid`."""
SAID = [0, 4, 2, 2, 0, 0, None, 2, 3, 1]
"""CW 2/2, CH 0/1; TN with TP 1/2, TC 1/1; DC 0/1, DL 1/1, DO 1/2."""


def annotate(folder: Path, rows: list[tuple[str, int]] = ROWS) -> Path:
    lines = [f"77,900,640,480,why,{right},{qid},{kind},p,q,r,s,t" for qid, (kind, right) in enumerate(rows)]
    path = folder / "val.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def predict(path: Path, said: list[Any], first: int = 0) -> Path:
    whole = {
        f"77_{qid}": {"prediction": choice, "answer": ROWS[qid][1]} for qid, choice in enumerate(said[first:], first)
    }
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def test_published_predictions_by_type_group_and_overall(tmp_path: Path) -> None:
    table = score_results("nextqa", predict(tmp_path / "val.json", SAID), annotations=annotate(tmp_path))
    assert table.rows == (
        ScoreRow("C", "CW", 1, 2),
        ScoreRow("C", "CH", 0, 1),
        ScoreRow("T", "TN", 1 / 2, 2),
        ScoreRow("T", "TC", 1, 1),
        ScoreRow("D", "DC", 0, 1),
        ScoreRow("D", "DL", 1, 1),
        ScoreRow("D", "DO", 1 / 2, 2),
    )
    assert table.groups == pytest.approx({"C": 2 / 3, "T": 2 / 3, "D": 1 / 2})
    assert (table.overall, table.num_skipped, table.notes) == (pytest.approx(6 / 10), 0, ())


def test_predictions_in_parts_and_questions_without_one(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    predict(tmp_path / "parts" / "1.json", SAID[:4])
    predict(tmp_path / "parts" / "2.json", SAID[:9], first=3)
    table = score_results("nextqa", tmp_path / "parts", annotations=annotate(tmp_path))
    assert (table.num_questions, table.num_skipped, table.overall) == (9, 1, pytest.approx(6 / 9))
    assert table.notes == (
        "items that occur more than once: 1, such as 77_3; each counts once, with its first reply in order of file "
        "names; 0 of them with another reply elsewhere",
        "questions without a reply, which count nowhere: 1",
    )


@pytest.mark.parametrize(
    ("whole", "says"),
    [
        ({"77_0": {"prediction": "0", "answer": 0}}, "prediction of 77_0 must be a whole number, got '0'"),
        ({"77_0": {"prediction": True, "answer": 0}}, "prediction of 77_0 must be a whole number, got True"),
        ({"77_0": {"prediction": 0, "answer": 1}}, "answer of 77_0 must be 0 as in the annotations, got 1"),
        ({"78_0": {"prediction": 0, "answer": 0}}, "question '78_0' must be one of the annotations"),
        ({"77": {"0": "a dog", "1": "a cat"}}, "open-ended results are not supported"),
        ({"77_0": {"prediction": 0}}, "no field 'answer'"),
        ({"77_0": 3}, "nextqa results"),
    ],
)
def test_predictions_of_another_shape_are_refused(whole: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "val.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(DataError, match=r"val\.json") as caught:
        score_results("nextqa", path, annotations=annotate(tmp_path))
    assert says in str(caught.value)


def test_predictions_need_annotations_with_known_types(tmp_path: Path) -> None:
    path = predict(tmp_path / "val.json", SAID)
    with pytest.raises(DataError, match=r"give NExT-QA's val\.csv with --annotations"):
        score_results("nextqa", path)
    with pytest.raises(DataError, match="no column 'video'"):
        score_results("nextqa", path, annotations=path)
    with pytest.raises(DataError, match="question type must be one of CW, CH, TN"):
        score_results("nextqa", path, annotations=annotate(tmp_path, [("XX", right) for _, right in ROWS]))


def test_a_run_has_the_groups_as_columns() -> None:
    predictions = tuple(
        Prediction("ours", f"v{qid % 3}", str(qid), kind, "?", "p", "", float(said == right))
        for qid, ((kind, right), said) in enumerate(zip(ROWS, SAID, strict=True))
    )
    results = Results("nextqa-mc", "", "ChoiceScorer()", {"ours": ""}, {"model": "tiny"}, predictions)
    experiment = Experiment("methods", "Methods", {"ours": "ours"}, "ours")
    (table,) = make_tables(results, DataSet("nextqa-mc", (), "choice"), experiment).more
    assert table.columns == ("all", "C", "CW", "CH", "T", "TN", "TC", "D", "DC", "DL", "DO")
    shares = [table.rows[0].cells[column].value for column in table.columns]
    assert shares == pytest.approx([6 / 10, 2 / 3, 1, 0, 2 / 3, 1 / 2, 1, 1 / 2, 0, 1, 1 / 2])
