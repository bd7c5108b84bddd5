"""The documents' examples, pasted into an empty folder in their order, give what the text says."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.main import get_command

from keepsight.cli.app import app
from tests.patience import PROCESS_SECONDS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
NEEDS_NETWORK = ("python3 -m venv", "pip install", "keepsight watch toy.mp4 --model llava-hf/")
"""How the README's commands begin that install or download; those that install are run on the built wheel."""


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def lines_of(document: Path) -> list[tuple[str, str]]:
    """Each command of a document with the comment behind it."""
    written = [line for block in blocks(document, "sh") for line in block.replace("\\\n", " ").splitlines() if line]
    return [(command.strip(), comment.strip()) for command, _, comment in (line.partition(" #") for line in written)]


def commands_of(document: Path) -> list[str]:
    pieces = [piece for line, _ in lines_of(document) for piece in re.split(r"&&|\|", line)]
    return [piece.strip() for piece in pieces if re.match(r"\s*(?:[A-Z_]+=\S+ )*keepsight ", piece)]


@pytest.mark.parametrize(
    ("document", "line"),
    [(path.name, line) for path in DOCS for line in commands_of(path)],
)
def test_each_command_of_the_documents_exists_with_its_options(document: str, line: str) -> None:
    words = shlex.split(line)
    words = words[words.index("keepsight") + 1 :]
    command = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in words if re.match("--[a-z]", word)} <= known


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With `keepsight` on the PATH, as the installation puts it there."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "keepsight"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from keepsight.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "KEEPSIGHT_PORT": "0"}


def pasted(line: str, folder: Path, environment: dict[str, str]) -> list[dict[str, object]]:
    """What a command prints, as JSON lines since it is not on a terminal."""
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, (line, done.stderr)
    return [json.loads(printed) for printed in done.stdout.splitlines() if printed.startswith("{")]


def printed_by(code: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@contextmanager
def serving(line: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of the server that a command starts, on a free port."""
    process = subprocess.Popen(shlex.split(line), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("listening on http://127.0.0.1:")
        yield first.split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=PROCESS_SECONDS)


@pytest.mark.slow
def test_the_readme_pasted_into_an_empty_folder(tmp_path: Path, environment: dict[str, str]) -> None:
    answers = {}
    for line, comment in lines_of(README):
        if line == "keepsight serve":
            with serving(line, tmp_path, environment):
                pass
        elif not line.startswith(NEEDS_NETWORK):
            found = [event["answer"] for event in pasted(line, tmp_path, environment) if event.get("event") == "answer"]
            if found:
                (answers[comment],) = found
            if comment.startswith("writes "):
                assert (tmp_path / comment.removeprefix("writes ").partition(",")[0]).is_file()
    first = answers.pop("")
    assert first == "in the bathroom"
    assert f"says `{first}`" in README.read_text(encoding="utf-8").replace("\n", " ")
    assert answers == {comment: comment for comment in answers}
    assert len(answers) == 2
    assert (tmp_path / "copy.db").is_file()
    (example,) = blocks(README, "python")
    printed = printed_by(example, tmp_path)
    assert len(printed) == 20
    assert printed[0].startswith("00:00-00:32 ")
    assert printed[-1].startswith("in the bathroom")


@pytest.mark.slow
def test_the_examples_in_python_and_over_http(tmp_path: Path, environment: dict[str, str]) -> None:
    guide = ROOT / "docs" / "python.md"
    for line, _ in lines_of(guide):
        pasted(line, tmp_path, environment)
    single, several = blocks(guide, "python")
    assert printed_by(single, tmp_path)[-1].startswith("in the bathroom")
    printed = printed_by(several, tmp_path)
    assert sum(line.startswith("1 ") for line in printed) == 4
    assert printed[-1] == "in the bathroom"
    plain = blocks(ROOT / "docs" / "openai-and-mcp.md", "python")[0]
    with serving("keepsight serve", tmp_path, environment) as address:
        said = printed_by(plain.replace("http://127.0.0.1:8765", address.rstrip("/")), tmp_path)
    assert said == ["red"]
