"""`keepsight serve` as a process of its own: begins, watches, and ends in order."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keepsight.journal import Journal
from tests.models.random_model import RandomShape, write_random_model
from tests.patience import PROCESS_SECONDS
from tests.server.served import Client
from tests.small_videos import MakeVideo

SERVE = [sys.executable, "-c", "from keepsight.cli import main; main()", "serve", "--port", "0"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_in_order(tmp_path: Path, make_video: MakeVideo, number: signal.Signals, code: int) -> None:
    model = write_random_model(tmp_path / "model", RandomShape(num_layers=2))
    missing = tmp_path / "a-disk"
    roots = ["--root", str(make_video(20).parent), "--root", str(missing)]
    words = [*SERVE, "--model", str(model), "--sample-fps", "2", *roots]
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"KEEPSIGHT_TOKEN": "a-token-for-tests-only"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    client = Client(int(line.rpartition(":")[2]), "a-token-for-tests-only")
    assert Client(client.port)("GET", "/v1/streams").status == 401
    stream_id = client.begin(make_video(20))
    client.wait_for(stream_id, lambda view: view["num_clips"] >= 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=PROCESS_SECONDS)
    assert (process.returncode, out) == (code, "")
    assert err.splitlines() == [
        f"keepsight: root {missing} is not a folder: create it to watch files in it",
        "keepsight: stopped; all captions are in keepsight.db",
    ]
    with Journal.open(tmp_path / "keepsight.db") as journal:
        assert journal.clips.count(stream_id) >= 1
        assert journal.streams.get(stream_id).end_reason is not None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--host", "0.0.0.0"], "token"),
        (["--token", "short"], "16"),
        (
            ["--host", "192.0.2.1", "--token", "a-token-for-tests-only"],
            "--host must be an address of this machine, got '192.0.2.1'",
        ),
        (["--max-streams", "0"], "--max-streams must be a whole number of at least 1, got 0"),
        (
            ["--max-stream-gigabytes", "0"],
            "--max-stream-gigabytes must be a number over 0 and at most 1000000, or none, got 0.0",
        ),
        (["--max-stream-gigabytes", "-1"], "must be a number over 0 and at most 1000000"),
        (["--max-stream-gigabytes", "nan"], "--max-stream-gigabytes must be"),
        (["--max-stream-gigabytes", "much"], "must be a number over 0 and at most 1000000"),
        (["--selector", "best"], "--selector must be one of attention, uniform, random"),
        (["--mmr-lambda", "2"], "--mmr-lambda must be a number from 0 to 1, got 2.0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: list[str], complaint: str) -> None:
    done = subprocess.run([*SERVE, *words], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert complaint in line
    assert "a-token-for-tests-only" not in line
