"""`keepsight bench run` as a process, with the bundled model: one process or two, stopped or not, the same results."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.bench.results import Results
from tests.patience import PROCESS_SECONDS

pytestmark = pytest.mark.slow

KEEPSIGHT = [sys.executable, "-c", "from keepsight.cli import main; main()"]
SMALL = (
    "--method",
    "captions",
    "--method",
    "captions:memory_clips=0",
    "--method",
    "blind",
    "--videos",
    "4",
    "--minutes",
    "3",
)

TOO_FEW = re.compile(r"keepsight: [14] videos? (is|are) too few for any difference in answers to [^\n]+\n")
"""All that stands on stderr."""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A run in its own process group, as a shell starts it."""
    command = [*KEEPSIGHT, "bench", "run", *words, "--out", str(folder), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finished(folder: Path, *words: str) -> Results:
    process = start(folder, *words)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0
    assert TOO_FEW.fullmatch(errors)
    assert '"event": "results"' in output
    return Results.load(folder / "results.json")


def timeless(results: Results) -> Sequence[object]:
    """All that must not depend on how a run went."""
    return [replace(one, answer_seconds=0.0) for one in results.predictions] + [
        replace(one, seconds_spent=0.0) for one in results.captions
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return finished(tmp_path_factory.mktemp("one"), *SMALL, "--processes", "1")


def test_the_bundled_model_is_better_than_guessing(whole: Results) -> None:
    shares = {name: statistics.mean(one.score or 0.0 for one in whole.of(name)) for name in whole.methods}
    assert len(whole.captions_of("captions")) == 4 * 6
    assert shares["captions"] > shares["blind"] + 0.2


def test_two_processes_stopped_and_begun_again_give_what_one_gives(whole: Results, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to all processes of the command."""
    process = start(tmp_path, *SMALL, "--processes", "2")
    while process.poll() is None and not kept(tmp_path):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PROCESS_SECONDS)
    assert (process.returncode, output) == (130, "")
    note, stopped = errors.splitlines(keepends=True)
    assert TOO_FEW.fullmatch(note)
    assert stopped == "keepsight: stopped; run the same command to resume after the last finished video\n"
    before = kept(tmp_path)
    assert 0 < len(before) < 12
    assert timeless(finished(tmp_path, *SMALL, "--processes", "2")) == timeless(whole)
    assert len(kept(tmp_path)) == 12
    assert before.items() <= kept(tmp_path).items()  # nothing that was kept is made again


def kept(folder: Path) -> dict[str, int]:
    """Files of answers and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cache").glob("*.json")}


def test_every_method_works_with_the_bundled_model(tmp_path: Path) -> None:
    results = finished(tmp_path, "--experiment", "overview", "--videos", "1", "--minutes", "2", "--processes", "1")
    counts = {len(results.of(name)) for name in results.methods}
    assert len(results.methods) == 12
    assert len(counts) == 1
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "KV retrieval" in page
    assert "latency-age.png" in page
