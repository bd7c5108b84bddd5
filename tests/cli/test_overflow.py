"""A model whose numbers overflow: one line, nothing of that clip in memory or journal, and another format resumes."""

import sqlite3
from pathlib import Path

import pytest

from tests.cli.ended import Keepsight
from tests.models.overflowing import write_brightening_video, write_overflowing_model

WATCH = ("watch", "v.mp4", "--journal", "a.db", "--sample-fps", 2, "--max-caption-tokens", 4)  # a clip spans 8 s
OVERFLOW = (
    "must be finite, got NaN or infinity in float16: the model's numbers overflow; "
    "try --dtype bfloat16 or --dtype float32"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_brightening_video(tmp_path / "v.mp4", dark_seconds=16, bright_seconds=8)
    return write_overflowing_model(tmp_path / "model")


def rows(table: str) -> list[tuple[object, ...]]:
    """All rows of a table, whatever Keepsight reads of them."""
    with sqlite3.connect("file:a.db?mode=ro", uri=True) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY clip_index").fetchall()


def test_an_overflow_stores_nothing_and_float32_resumes(keepsight: Keepsight, model: Path) -> None:
    ended = keepsight(*WATCH, "--model", model, "--dtype", "float16")
    assert (ended.code, ended.complaint) == (2, f"visual tokens {OVERFLOW}")
    assert [clip["end_seconds"] for clip in ended.of("clip")] == [8, 16]
    before = {table: rows(table) for table in ("clips", "memory")}
    assert [len(found) for found in before.values()] == [2, 2]
    again = keepsight(*WATCH, "--model", model, "--dtype", "float16")
    assert (again.code, again.complaint, again.of("clip")) == (2, f"visual tokens {OVERFLOW}", [])
    assert {table: rows(table) for table in before} == before
    resumed = keepsight(*WATCH, "--model", model, "--dtype", "float32")
    assert (resumed.code, resumed.err) == (0, "")
    assert [clip["end_seconds"] for clip in resumed.of("clip")] == [24]
    assert rows("clips")[:2] == before["clips"]
    assert [len(rows(table)) for table in before] == [3, 3]


def test_a_question_whose_answer_is_not_finite_is_not_answered(
    keepsight: Keepsight, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer's first words are out when a later pass breaks; the journal has no answer."""
    import torch

    from keepsight.models.decoding.language_model import LanguageModel

    assert keepsight(*WATCH, "--model", model, "--dtype", "float32").code == 0
    step = LanguageModel.step

    def broken(self: LanguageModel, *arguments: object, **more: object) -> object:
        logits, scores = step(self, *arguments, **more)  # type: ignore[arg-type]
        return torch.full_like(logits, torch.nan), scores

    monkeypatch.setattr(LanguageModel, "step", broken)
    ended = keepsight("ask", "a.db", "Where is the dog?", "--model", model, "--dtype", "bfloat16")
    assert (ended.code, ended.of("answer")) == (2, [])
    assert ended.complaint == "logits must be finite, got NaN or infinity in bfloat16; try --dtype float32"
    with sqlite3.connect("file:a.db?mode=ro", uri=True) as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (0,)
