"""Tables, read back with other people's parsers."""

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from keepsight.bench.output import Cell, ConsoleTable, Row, Table, as_csv, as_json, as_markdown, save_tables
from keepsight.errors import SettingError

OURS = Row("ours", {"all": Cell(0.6124, 0.58, 0.643), "yes/no": Cell(0.7, 0.651, 0.749), "other": Cell(0.5)}, 1465)
CLOSE = Row("uniform", {"all": Cell(0.6, 0.57, 0.63)}, 1465, Cell(-0.0124, -0.031, 0.008), 0.21, True, 0.231)
FAR = Row("blind", {"all": Cell(0.3, 0.27, 1.0)}, 1400, Cell(-0.3124, -0.35, -0.27), 0.0004, False, 0.0012)
HALF = {"all": Cell(0.5)}
OURS_ALL = Row("ours", HALF, 9)
TEST = "p: exact sign-flip test over 10 videos; p Holm: corrected for the 2 comparisons of this table."
TABLE = Table("Memory helps", "Tiny model, RVS-Ego.", ("all", "yes/no", "other"), (OURS, CLOSE, FAR), "ours", test=TEST)

NUMBER = re.compile(r"[-+]?\d+\.\d+|<0\.001")
NUMBERS = Counter(
    NUMBER.findall(
        "61.2 58.0 64.3 70.0 65.1 74.9 50.0 60.0 57.0 63.0 -1.2 -3.1 +0.8 0.210 0.231 "
        "30.0 27.0 100.0 -31.2 -35.0 -27.0 <0.001 0.001 0.05"
    )
)


def on_console(table: Table, width: int) -> str:
    text = io.StringIO()
    Console(file=text, width=width, highlight=False).print(ConsoleTable(table))
    return text.getvalue()


def read_markdown(markdown: str) -> list[list[str]]:
    """Cells of the table as a reader of the rendered page sees them."""
    tokens = MarkdownIt("commonmark").enable(["table"]).parse(markdown)
    rows: list[list[str]] = []
    for before, token in itertools.pairwise(tokens):
        if before.type == "tr_open":
            rows.append([])
        if before.type in ("th_open", "td_open"):
            rows[-1].append(shown(token.children))
    return rows


def shown(children: Sequence[Token] | None) -> str:
    assert children is not None
    assert {child.type for child in children} <= {"text", "text_special"}
    return "".join(child.content for child in children)


def as_one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_console_shows_every_number_once_at_any_width(width: int) -> None:
    text = on_console(TABLE, width)
    assert Counter(NUMBER.findall(text)) == NUMBERS
    assert max(map(len, text.splitlines())) <= width
    assert all(word in text for word in ("ours", "uniform", "blind", "1465", "1400", "yes/no", "other"))


def test_console_puts_a_method_on_one_line_where_there_is_room() -> None:
    (line,) = [line for line in on_console(TABLE, 120).splitlines() if line.startswith("uniform")]
    assert " ".join(line.split()) == "uniform 1465 60.0 [57.0, 63.0] -1.2 [-3.1, +0.8] ~ 0.210 0.231 - -"


def test_console_puts_intervals_below_where_there_is_less_room() -> None:
    lines = on_console(TABLE, 90).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("uniform"))
    assert " ".join(lines[at].split()) == "uniform 1465 60.0 -1.2 ~ 0.210 0.231 - -"
    assert " ".join(lines[at + 1].split()) == "[57.0, 63.0] [-3.1, +0.8]"


def test_console_spreads_columns_over_tables_where_they_do_not_fit() -> None:
    tasks = tuple(f"task {letter}" for letter in "abcdefghij")
    rows = tuple(Row(name, {task: Cell(0.5, 0.4, 0.6) for task in tasks}, 9) for name in ("ours", "theirs"))
    text = on_console(Table("Tasks", "", tasks, rows), 60)
    assert Counter(NUMBER.findall(text)) == {"50.0": 20, "40.0": 20, "60.0": 20}
    assert text.count("theirs") > 1
    assert [text.count(task) for task in tasks] == [1] * 10


@pytest.mark.parametrize("width", [60, 80, 200])
def test_console_folds_long_names_and_shows_no_markup(width: int) -> None:
    row = Row("[bold]" + "very long name " * 5, {"all": Cell(0.123, 0.111, 0.135)}, 7)
    text = on_console(Table("A\x1b[31m title", "", ("prospective reasoning about goals",), ()), width)
    assert "\x1b" not in text
    text = on_console(Table("t", "", ("all",), (row,)), width)
    assert "[bold]" in text
    assert text.count("very") == 5
    assert NUMBER.findall(text) == ["12.3", "11.1", "13.5"]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=6),
    st.lists(st.text("ab cd", min_size=1).filter(str.strip), min_size=1, max_size=3, unique=True),
    st.sampled_from([60, 80, 200]),
)
def test_console_never_loses_a_digit(shares: list[float], names: list[str], width: int) -> None:
    columns = tuple("abcdefgh"[: len(shares)])
    cells = {column: Cell(share, share / 2, share) for column, share in zip(columns, shares, strict=True)}
    text = on_console(Table("t", "", columns, tuple(Row(name, cells, 5) for name in names)), width)
    expected = Counter(f"{100 * number:.1f}" for share in shares for number in (share, share / 2, share))
    assert Counter(NUMBER.findall(text)) == {number: count * len(names) for number, count in expected.items()}


def test_legend_explains_only_what_is_there() -> None:
    bare = Table("t", "", ("all",), (Row("ours", {"all": Cell(0.5)}, 4),))
    assert "~" not in on_console(bare, 80)
    assert "difference" not in on_console(bare, 80)
    assert "intervals" not in on_console(bare, 80)
    words = " ".join(on_console(TABLE, 80).split())
    assert (
        "~ marks a difference inside the noise: its interval contains 0, or its corrected p is 0.05 or more." in words
    )
    assert TEST in words
    single = Table("t", "", ("all",), (OURS_ALL, Row("b", HALF, 9, Cell(0.0, -0.1, 0.1), 1.0, True, 1.0)), "ours")
    assert "Holm" not in on_console(single, 120)  # one comparison needs no correction
    assert "all of a method minus all of ours" in words
    assert "95 % intervals" in words


def test_markdown_read_back() -> None:
    rows = read_markdown(as_markdown(TABLE))
    assert rows == [
        ["method", "n", "all", "difference", "p", "p Holm", "yes/no", "other"],
        ["ours", "1465", "61.2 [58.0, 64.3]", "-", "-", "-", "70.0 [65.1, 74.9]", "50.0"],
        ["uniform", "1465", "60.0 [57.0, 63.0]", "-1.2 [-3.1, +0.8] ~", "0.210", "0.231", "-", "-"],
        ["blind", "1400", "30.0 [27.0, 100.0]", "-31.2 [-35.0, -27.0]", "<0.001", "0.001", "-", "-"],
    ]


def test_markdown_of_awkward_names_by_hand() -> None:
    row = Row("a|b\nc \\ *d*", {"x|y": Cell(0.5)}, 1)
    lines = as_markdown(Table("# t", "1. no list", ("x|y",), (row,))).splitlines()
    assert lines[0] == r"### \# t"
    assert lines[2] == r"| method | n | x\|y |"
    assert lines[4] == r"| a\|b c \\ \*d\* | 1 | 50.0 |"
    assert lines[6] == r"1\. no list"


WORDS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("|\\`*_[]<>#~&$\n\r\t!()-+=1."))).filter(
    as_one_line
)


@given(WORDS, WORDS, WORDS, WORDS)
def test_markdown_shows_any_text_as_it_stands(title: str, caption: str, column: str, method: str) -> None:
    markdown = as_markdown(Table(title, caption, (column,), (Row(method, {column: Cell(0.5)}, 3),)))
    assert read_markdown(markdown) == [["method", "n", as_one_line(column)], [as_one_line(method), "3", "50.0"]]
    tokens = MarkdownIt("commonmark").enable(["table"]).parse(markdown)
    heading, *_, note, _ = [shown(token.children) for token in tokens if token.type == "inline"]
    assert (heading, note) == (as_one_line(title), as_one_line(caption))
    assert [token.type for token in tokens].count("paragraph_open") == 2


def test_csv_has_a_line_for_each_method_and_column() -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv([TABLE, TABLE]), newline="")))
    assert len(lines) == 10
    assert [(line["method"], line["column"]) for line in lines[:3]] == [("ours", c) for c in TABLE.columns]
    assert lines[3] == {
        "table": "Memory helps",
        "method": "uniform",
        "column": "all",
        "num_questions": "1465",
        "value": "0.6",
        "low": "0.57",
        "high": "0.63",
        "reference": "ours",
        "difference": "-0.0124",
        "difference_low": "-0.031",
        "difference_high": "0.008",
        "p_value": "0.21",
        "p_corrected": "0.231",
        "inside_noise": "True",
    }
    assert lines[2]["low"] == lines[2]["difference"] == lines[2]["inside_noise"] == ""


@given(WORDS, WORDS, WORDS, st.floats(0, 1))
def test_csv_and_json_keep_all_text_and_digits(title: str, column: str, method: str, share: float) -> None:
    table = Table(title, "", (column,), (Row(method, {column: Cell(share, 0, 1)}, 3),))
    (line,) = csv.DictReader(io.StringIO(as_csv([table]), newline=""))
    assert (line["table"], line["method"], line["column"]) == (title, method, column)
    assert float(line["value"]) == share
    (record,) = json.loads(as_json([table]))
    assert record["rows"][0]["cells"][column] == {"value": share, "low": 0, "high": 1}
    assert (record["title"], record["rows"][0]["method"]) == (title, method)


def test_json_builds_the_same_table_again() -> None:
    (record,) = json.loads(as_json([TABLE]))
    rows = [
        Row(
            **{
                **row,
                "cells": {name: Cell(**cell) for name, cell in row["cells"].items()},
                "difference": row["difference"] and Cell(**row["difference"]),
            }
        )
        for row in record["rows"]
    ]
    assert Table(**{**record, "rows": tuple(rows), "columns": tuple(record["columns"])}) == TABLE


@pytest.mark.parametrize("suffix", [".md", ".csv", ".json", ".JSON"])
def test_tables_are_saved_by_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tables{suffix}"
    save_tables(path, [TABLE, TABLE])
    content = path.read_bytes().decode()
    if suffix == ".md":
        assert content == as_markdown(TABLE) + "\n" + as_markdown(TABLE)
    else:
        assert content == (as_csv if suffix == ".csv" else as_json)([TABLE, TABLE])
    assert list(tmp_path.iterdir()) == [path]


def test_tables_are_not_saved_as_anything_else(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"\.md, \.csv or \.json, got tables\.xlsx"):
        save_tables(tmp_path / "tables.xlsx", [TABLE])
    with pytest.raises(OSError, match="nowhere"):
        save_tables(tmp_path / "nowhere" / "tables.md", [TABLE])


def test_differences_carry_their_sign_and_zero_has_none() -> None:
    rows = [
        Row(name, {"all": Cell(0.5)}, 9, Cell(difference), None, inside_noise=False)
        for name, difference in (("more", 0.004), ("less", -0.0004), ("same", 0.0))
    ]
    table = Table("t", "", ("all",), (Row("base", {"all": Cell(0.5)}, 9), *rows), "base")
    assert [row[3] for row in read_markdown(as_markdown(table))[2:]] == ["+0.4", "0.0", "0.0"]
    assert "p" not in read_markdown(as_markdown(table))[0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Cell(1.01),
        lambda: Cell(float("nan")),
        lambda: Cell(0.5, float("nan"), 0.6),
        lambda: Cell(0.5, 0.4),
        lambda: Cell(0.5, 0.6, 0.4),
        lambda: Row(" \n", HALF, 3),
        lambda: Row("a", {"all": Cell(-0.5)}, 3),
        lambda: Row("a", HALF, -1),
        lambda: Row("a", HALF, 3, Cell(0.1)),
        lambda: Row("a", HALF, 3, inside_noise=True),
        lambda: Row("a", HALF, 3, p_value=0.5),
        lambda: Row("a", HALF, 3, Cell(0.1), 1.5, inside_noise=True),
        lambda: Row("a", HALF, 3, Cell(0.1), 0.5, inside_noise=True, p_corrected=0.4),
        lambda: Row("a", HALF, 3, Cell(0.1), 0.5, inside_noise=True, p_corrected=1.1),
        lambda: Row("a", HALF, 3, Cell(0.1), inside_noise=True, p_corrected=0.5),
        lambda: Table("t", "", (), ()),
        lambda: Table("t", "", ("all", "all"), ()),
        lambda: Table("t", "", ("all",), (Row("a", HALF, 3), Row("a", HALF, 3))),
        lambda: Table("t", "", ("other",), (Row("a", HALF, 3),)),
        lambda: Table("t", "", ("all",), (Row("a", HALF, 3),), "b"),
        lambda: Table("t", "", ("all",), (CLOSE,)),
        lambda: Table("t", "", ("all",), (CLOSE,), "uniform"),
        lambda: Table("t", "", ("first", "all"), (OURS, CLOSE), "ours"),
        lambda: Table("t", "", ("other", "all", "yes/no"), (OURS, CLOSE), "ours"),
        lambda: Table("t", "", ("all",), (), interval_percent=100),
    ],
)
def test_tables_that_make_no_sense_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(SettingError) as caught:
        wrong()
    assert "\n" not in str(caught.value)
