"""Nonsense for every command and option: one line on stderr and exit code 2, or it works; never a traceback."""

import errno
import io
import itertools
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from keepsight.cli.app import app
from keepsight.journal import Journal
from tests.cli.ended import Keepsight
from tests.patience import PROCESS_SECONDS

NONSENSE = ("", "-1", "nan", "9" * 400, "\udcff", "a\nb", "folder", "foreign.db")
"""Nothing, signs, no number, huge, bytes that are no UTF-8, two lines, a folder, another program's file."""

MORE_NONSENSE = (
    *(" ", "-", "--", "0", "inf", "-inf", "1e999", "\u0661\u0662", "\u00b2", "\u202ex", "x" * 5000),
    *(".", "/", "/dev/null/x", "nothing", "text.txt"),
)
"""Blank, digits of other scripts, a sign that turns the direction of writing, too long, other folders and files."""

COMPLETE: dict[tuple[str, ...], list[str]] = {
    ("watch",): ["nothing.mp4"],
    ("ask",): ["kept.db", "What?"],
    ("report",): ["kept.db"],
    ("pin",): ["kept.db", "0"],
    ("mcp",): ["nothing.db"],
    ("models",): [],
    ("toyworld", "make"): ["/dev/null/toy.mp4"],
    ("serve",): ["--print-settings"],
}
"""What the other words of a command are while one of them is nonsense."""


def commands() -> Iterator[tuple[tuple[str, ...], "typer.core.TyperCommand"]]:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from (((name, inner), one) for inner, one in command.commands.items())
        else:
            yield (name,), command


def calls() -> Iterator[tuple[tuple[str, ...], str]]:
    """Each command with the name of an option or the place of an argument that gets nonsense."""
    for words, command in commands():
        if words not in COMPLETE:
            continue
        arguments = itertools.count()
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                yield words, str(next(arguments))
            elif not getattr(parameter, "is_flag", False) and parameter.name != "help":
                yield words, next(opt for opt in parameter.opts if opt.startswith("--"))


@pytest.fixture
def odd_files(keepsight: Keepsight) -> None:
    """In the folder in which commands run."""
    del keepsight
    Path("folder").mkdir()
    Path("text.txt").write_text("no journal, no video, no settings: " * 20)
    connection = sqlite3.connect("foreign.db")
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    with Journal.create("kept.db") as journal:
        journal.streams.begin("/videos/hall.mp4", "fake", "{}")


@pytest.mark.usefixtures("odd_files")
@pytest.mark.parametrize("texts", [NONSENSE, pytest.param(MORE_NONSENSE, marks=pytest.mark.slow)], ids=["", "more"])
@pytest.mark.parametrize(
    ("words", "place"), [pytest.param(*call, id=f"{' '.join(call[0])} {call[1]}") for call in calls()]
)
def test_nonsense_in_one_place(
    keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], place: str, texts: tuple[str, ...]
) -> None:
    from keepsight.errors import UnknownModelError

    def refuse(name: str, **_: object) -> None:
        raise UnknownModelError(f"no such model: {name!r}")

    monkeypatch.setattr("keepsight.models.loading.load_model", refuse)
    monkeypatch.setattr("keepsight.sources.isolated.connect", lambda address, _: refuse(address.name))
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(errors="backslashreplace")  # as the command's own start does
    for nonsense in texts:
        given = COMPLETE[words].copy()
        if place.startswith("--"):
            given += [f"{place}={nonsense}"]
        elif int(place) < len(given):
            given[int(place)] = nonsense
        else:
            given += [nonsense]
        ended = keepsight(*words, *given)
        assert ended.code in (0, 2), (given, ended)
        assert "Traceback" not in ended.err
        if ended.code == 2:
            assert ended.err.startswith("keepsight: "), (given, ended.err)
            assert ended.err.count("\n") == 1, (given, ended.err)
            assert len(ended.err) > len("keepsight: ?\n"), given
            assert len(ended.err) < 7000


def run_cli(*words: str, **more: object) -> "subprocess.CompletedProcess[bytes]":
    code = "from keepsight.cli import main; main()"
    words = (sys.executable, "-c", code, *words)
    return subprocess.run(words, timeout=PROCESS_SECONDS, check=False, **more)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"LC_ALL": "C"}, marks=pytest.mark.slow),
        pytest.param({"LC_ALL": "POSIX", "COLUMNS": "1"}, marks=pytest.mark.slow),
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "0"},
        pytest.param({"PYTHONIOENCODING": "ascii", "TERM": "dumb", "COLUMNS": "-5"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_any_locale_and_width_will_do(tmp_path: Path, environment: dict[str, str]) -> None:
    path = tmp_path / "k\u00fcche.db"
    with Journal.create(path) as journal:
        journal.streams.begin("/videos/k\u00fcche.mp4", "tiny", "{}")
    ended = run_cli(
        "report",
        str(path),
        "--no-json",
        env={"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment},
        capture_output=True,
        cwd=tmp_path,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(b"0 clips in ")


@pytest.mark.parametrize(
    "words",
    [
        ("models", "--no-json"),
        *(pytest.param(one, marks=pytest.mark.slow) for one in (("models", "--json"), ("--version",), ("--help",))),
    ],
    ids=str,
)
def test_an_output_that_is_full_is_one_line(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = run_cli(*words, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 2
    assert ended.stderr.decode() == f"keepsight: cannot write the output: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.parametrize(
    "redirection",
    [">&-", *(pytest.param(one, marks=pytest.mark.slow) for one in ("<&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"))],
)
def test_closed_streams_end_without_a_traceback(redirection: str) -> None:
    code = "from keepsight.cli import main; main()"
    ended = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" models --json {redirection}', sys.executable, code],
        timeout=PROCESS_SECONDS,
        check=False,
        capture_output=True,
    )
    assert ended.returncode in (0, 2)
    assert b"Traceback" not in ended.stderr
