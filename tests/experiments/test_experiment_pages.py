"""The pages of docs/experiments show what is stored, and what is stored came from the planned commands."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from experiments.__main__ import main, pages
from experiments.pages import filled
from experiments.plan import BENCH, RUNS, VARIANT_MODELS, Run, chosen
from experiments.stored import FOLDER, StoredRun
from keepsight.bench.environment import fingerprint
from keepsight.bench.experiments import make_experiments
from keepsight.bench.methods import make_method
from keepsight.cli.bench import bench
from keepsight.errors import DataError, SettingError
from keepsight.models.loading import load_model
from training.variants.__main__ import parser as variants_parser
from training.variants.folders import DECODER_NAME, WEIGHTS_FOLDER

STORED = sorted(path.stem for path in FOLDER.glob("*.json"))


def options_of(run: Run) -> dict[str, Any]:
    """Options of a bench run, as the command line reads them."""
    command = get_command(bench).commands["run"]  # type: ignore[attr-defined]
    parsed: dict[str, Any] = command.make_context("run", list(run.arguments)).params
    return parsed


@pytest.mark.parametrize("run", [run for run in RUNS if run.program == BENCH], ids=lambda run: run.name)
def test_every_planned_command_is_one_that_keepsight_takes(run: Run) -> None:
    options = options_of(run)
    info = load_model("tiny").info
    make_experiments(tuple(options["experiment"] or ()), info)
    for method in options["method"] or ():
        make_method(method)


@pytest.mark.parametrize("run", [run for run in RUNS if run.program != BENCH], ids=lambda run: run.name)
def test_every_comparison_of_variants_is_one_that_their_program_takes(run: Run) -> None:
    options = variants_parser().parse_args([run.program[1], *run.arguments])
    folders = {f"{VARIANT_MODELS}/{variant}" for variant in run.variants}
    assert folders == {model for model in options.model if model != "tiny"}
    assert all((WEIGHTS_FOLDER / variant / DECODER_NAME).is_file() for variant in run.variants)


def test_names_of_runs_are_unique_and_the_short_ones_stay_within_twenty_minutes() -> None:
    assert len({run.name for run in RUNS}) == len(RUNS)
    assert 0 < sum(run.minutes for run in chosen((), short=True)) <= 20
    assert sum(run.minutes for run in RUNS) <= 12 * 60


def test_runs_are_chosen_by_name() -> None:
    assert [run.name for run in chosen(("overview",), short=False)] == ["overview"]
    with pytest.raises(SettingError, match=r"run must be one of .*, got 'overveiw'; did you mean overview\?"):
        chosen(("overveiw",), short=False)
    with pytest.raises(SettingError, match="either names of runs or --short"):
        chosen(("overview",), short=True)


@pytest.mark.parametrize("name", STORED)
def test_stored_tables_come_from_the_planned_command_and_the_bundled_model(name: str) -> None:
    planned = {run.name: run for run in RUNS}
    assert name in planned, f"no run {name} is planned: delete experiments/results/{name}.json"
    stored = StoredRun.load(name)
    assert stored.command == planned[name].command
    if planned[name].program != BENCH:
        return
    model = options_of(planned[name])["model"]
    if model in ("tiny", "tiny-qwen"):
        assert stored.environment["model_fingerprint"] == fingerprint(load_model(model))


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.stem)
def test_pages_show_the_stored_tables(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m experiments --pages"


def cell(value: float, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def row(method: str, value: float, **more: Any) -> dict[str, Any]:
    compared = {"difference": None, "p_value": None, "p_corrected": None, "inside_noise": None}
    return {"method": method, "cells": {"all": cell(value)}, "num_questions": 7, **compared, **more}


def stored(_: str = "") -> StoredRun:
    answers = {
        "title": "Memory",
        "columns": ["all"],
        "reference": "FIFO of 16",
        "rows": [
            row("FIFO of 16", 0.75),
            row(
                "FIFO of 4 | *",
                0.5,
                difference=cell(-0.25, -0.5, 0.0),
                p_value=0.125,
                p_corrected=0.25,
                inside_noise=True,
            ),
        ],
    }
    past = {
        "title": "Memory: memory-only clauses",
        "columns": ["all"],
        "reference": "FIFO of 16",
        "rows": [row("FIFO of 16", 1 / 3)],
    }
    made = {
        "model": "tiny",
        "model_fingerprint": "abc",
        "dtype": "float32",
        "date": "2026-12-01T00:00:00+00:00",
        "versions": {"torch": "2", "transformers": "5"},
    }
    return StoredRun("keepsight bench run paper-toy", made, 14, {"memory": [answers, past]})


def test_a_table_is_made_of_the_columns_that_its_mark_names() -> None:
    columns = ("answers.all = questions", "answers.difference", "answers.p", "answers.corrected p", "past.all = past")
    mark = "\n".join(["<!-- table r/memory", *columns, "-->"])
    page = f"before\n\n{mark}\nold\n<!-- end -->\nafter"
    assert filled(page, stored).splitlines() == [
        "before",
        "",
        *mark.splitlines(),
        "| | questions | difference | p | corrected p | past |",
        "|:---|---:|---:|---:|---:|---:|",
        "| **FIFO of 16** | 75.0 |  |  |  | 33.3 |",
        r"| FIFO of 4 \| \* | 50.0 | -25.0 [-50.0, 0.0] ~ | .125 | .250 | - |",
        "<!-- end -->",
        "after",
    ]
    assert filled(filled(page, stored), stored) == filled(page, stored)


def test_rows_are_listed_and_renamed() -> None:
    mark = "<!-- table r/memory\nanswers.all\n- FIFO of 4 | * = four\n- FIFO of 16\n-->"
    rows = filled(f"{mark}\n<!-- end -->", stored).splitlines()
    assert rows[7:9] == ["| four | 50.0 |", "| **FIFO of 16** | 75.0 |"]
    with pytest.raises(DataError, match=r"row must be one of FIFO of 16, FIFO of 4 \| \* in mark .*, got 'FIFO'"):
        filled("<!-- table r/memory\nanswers.all\n- FIFO\n-->\n<!-- end -->", stored)


def test_a_column_comes_from_another_run_with_its_own_reference() -> None:
    other = stored()
    (other.tables["memory"][0]["rows"][1])["cells"]["all"] = cell(0.125)
    runs = {"r": stored(), "other": other}
    mark = "<!-- table r/memory\nanswers.all = here\nother/memory/answers.all = there\n-->"
    rows = filled(f"{mark}\n<!-- end -->", lambda name: runs[name]).splitlines()
    assert rows[4] == "| | here | there |"
    assert rows[7] == r"| FIFO of 4 \| \* | 50.0 | 12.5 |"


def test_the_page_of_a_run_is_put_in() -> None:
    text = filled("<!-- text r -->\nold\n<!-- end -->", lambda _: StoredRun("python -m x", text="| a |\n"))
    assert text == "<!-- text r -->\n| a |\n<!-- end -->"


def test_the_command_and_the_model_stand_where_the_marks_are() -> None:
    page = "<!-- command r -->\n<!-- end -->\n<!-- made r -->\n<!-- end -->"
    text = filled(page, stored)
    assert "```sh\nkeepsight bench run paper-toy\n```" in text
    assert "14 answers; tiny (abc), float32, 2026-12-01, torch 2, transformers 5." in text


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("table r/other\nanswers.all\n", "experiment must be one of memory in run r, got 'other'"),
        ("table r/memory\nkinds.all\n", "table must be one of answers, past in mark .*, got 'kinds'"),
        ("table r/memory\nanswers.some\n", "column of table 'Memory' must be one of all, .*, got 'some'"),
    ],
)
def test_a_mark_that_names_nothing_stored_is_refused(mark: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        filled(f"<!-- {mark} -->\n<!-- end -->", stored)


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    stored().save("r", tmp_path)
    assert StoredRun.load("r", tmp_path) == stored()
    with pytest.raises(DataError, match="run python -m experiments first"):
        StoredRun.load("missing", tmp_path)
    (tmp_path / "odd.json").write_text('{"commands": "x"}')
    with pytest.raises(DataError, match="must be stored tables of a run"):
        StoredRun.load("odd", tmp_path)


def test_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [run.name for run in RUNS]
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().err.startswith("run must be one of")


def test_a_long_command_is_broken_before_an_option() -> None:
    long = dataclasses.replace(stored(), command="keepsight bench run paper-toy " + " ".join(["--method captions"] * 9))
    text = filled("<!-- command r -->\n<!-- end -->", lambda _: long)
    shown = text.split("```sh\n")[1].split("\n```")[0]
    assert all(len(line) <= 112 for line in shown.splitlines())
    assert " ".join(shown.replace("\\\n", " ").split()) == long.command
