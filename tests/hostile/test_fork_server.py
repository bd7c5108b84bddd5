"""The process that reads many files tells a crash, a hang and too much memory apart."""

import json
import subprocess
import sys

import pytest

from tests.child_process import importing_tests
from tests.hostile.outcomes import Outcome


def outcome_of(action: str, limits: str) -> Outcome:
    """Outcome of a file at which a reader does something; in a process without threads, as forking wants."""
    code = (
        "import json, os, signal, sys, time; from dataclasses import asdict;"
        f"from tests.hostile import fork_server; fork_server.open_video = lambda path: {action};"
        f"print(json.dumps(asdict(fork_server.read_apart('any', {limits}))))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=importing_tests())
    return Outcome(**json.loads(done.stdout))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", ("", "", 11, False)),
        ("time.sleep(900)", ("", "", 0, True)),
        ("sum(1 for _ in iter(int, 1))", ("", "", 0, True)),
        ("bytearray(7_000_000_000)", ("DecoderDiedError", "decoding exceeds the memory limit", 0, False)),
        ("[][1]", ("DecoderDiedError", "decoding failed: IndexError", 0, False)),
    ],
)
def test_what_happens_to_a_reader_is_told(action: str, expected: tuple[str, str, int, bool]) -> None:
    outcome = outcome_of(action, "hangs_after_seconds=1.0" if "sleep" in action else "most_seconds=1.0")
    error, words, signal, is_late = expected
    assert (outcome.error, outcome.signal, outcome.is_late) == (error, signal, is_late)
    assert words in outcome.message
