"""examples/: each script does what it says, and each notebook runs and was stored as it runs."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from keepsight.journal import Journal
from tests.patience import PROCESS_SECONDS

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
MOST_BYTES = 400_000


def run(*words: str | Path, folder: Path, stdin: bytes = b"") -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, input=stdin, capture_output=True, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="replace")


def outputs_of(notebook: nbformat.NotebookNode) -> list[str]:
    """What each code cell printed; what shows times or ids of a run is left out.

    A cell's output is one text: a kernel sends it in as many messages as it takes, more of them on a busy machine.
    """
    printed = (
        [one.text for one in cell.outputs if one.output_type == "stream" and one.name == "stdout"]
        for cell in notebook.cells
        if cell.cell_type == "code"
    )
    return ["".join(texts) for texts in printed]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_small_run_and_without_errors(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert [one for one in outputs if one.output_type == "error" or one.get("name") == "stderr"] == []
    assert any(
        "image/png" in one.get("data", {}) or "<img" in one.get("data", {}).get("text/html", "") for one in outputs
    )


def test_the_list_names_each_example() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")]
    assert len(names) >= 5
    assert [name for name in names if name not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_is_stored(path: Path, tmp_path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    run_again = nbformat.read(path, as_version=4)
    client = NotebookClient(run_again, timeout=PROCESS_SECONDS, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    assert any(outputs_of(stored))
    assert outputs_of(run_again) == outputs_of(stored)


@pytest.mark.slow
def test_watch_and_ask_prints_captions_and_an_answer(tmp_path: Path) -> None:
    lines = run(EXAMPLES / "watch_and_ask.py", folder=tmp_path).splitlines()
    assert lines[0].startswith("00:00-00:32 ")
    assert "Where is the yellow apple? in the bathroom" in lines
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_frames_that_are_pushed_are_described(tmp_path: Path) -> None:
    pushed = subprocess.run([sys.executable, EXAMPLES / "push_frames.py"], capture_output=True, check=True)
    run("-m", "keepsight", "watch", "-", "--journal", "pushed.db", folder=tmp_path, stdin=pushed.stdout)
    with Journal.open(tmp_path / "pushed.db") as journal:
        (stream,) = journal.streams.all()
        assert journal.clips.count(stream.id) == 4


@pytest.mark.slow
def test_a_server_is_asked_over_http(tmp_path: Path) -> None:
    run("-m", "keepsight", "toyworld", "make", "toy.mp4", "--minutes", "10", "--seed", "3", folder=tmp_path)
    serve = [sys.executable, "-m", "keepsight", "serve", "--port", "0"]
    process = subprocess.Popen(serve, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    killer = threading.Timer(PROCESS_SECONDS, process.kill)
    killer.start()
    try:
        address = process.stdout.readline().split()[-1]
        words = ["toy.mp4", "What colour is the scarf?", "--server", address.rstrip("/")]
        assert run(EXAMPLES / "ask_over_http.py", *words, folder=tmp_path).startswith("complete: red\n")
    finally:
        process.terminate()
        process.communicate(timeout=PROCESS_SECONDS)
        killer.cancel()
