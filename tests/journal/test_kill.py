"""Killed hundreds of times, nothing announced is lost and the journal is the same."""

import os
import subprocess
import sys

import pytest

from tests.child_process import importing_tests


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_nothing_is_lost_however_often_watching_is_killed() -> None:
    """In a process of its own, as one that has threads must not be forked."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", "--kills", "200", "--tiny-kills", "20"],
        capture_output=True,
        text=True,
        env=importing_tests() | {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"},
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]
    assert [(row["model"], row["kills"]) for row in rows] == [("stand-in", "200"), ("tiny", "20")]
    for row in rows:
        assert row["lost, twice, damaged or different"] == "0"
        assert int(row["clips announced"]) > 0
    assert int(rows[0]["before the first clip"]) >= 10
    assert int(rows[0]["starts on a begun journal"]) >= 100
