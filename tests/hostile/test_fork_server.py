"""The process that reads many files tells a crash, a hang and too much memory apart."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from outcomes import Outcome

FOLDER = Path(__file__).parent


def outcome_of(action: str) -> Outcome:
    """Outcome of a file at which a reader does something; in a process without threads, as forking wants."""
    code = (
        "import json, os, signal, sys, time; from dataclasses import asdict; sys.path.insert(0, sys.argv[1]);"
        f"import fork_server; fork_server.open_video = lambda path: {action};"
        "print(json.dumps(asdict(fork_server.read_apart('any', 1.0))))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(FOLDER)], capture_output=True, text=True, check=True)
    return Outcome(**json.loads(done.stdout))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", ("", "", 11, False)),
        ("time.sleep(60)", ("", "", 0, True)),
        ("bytearray(7_000_000_000)", ("DecoderDiedError", "more memory than it may have", 0, False)),
        ("[][1]", ("DecoderDiedError", "decoding failed: IndexError", 0, False)),
    ],
)
def test_what_happens_to_a_reader_is_told(action: str, expected: tuple[str, str, int, bool]) -> None:
    outcome = outcome_of(action)
    error, words, signal, is_late = expected
    assert (outcome.error, outcome.signal, outcome.is_late) == (error, signal, is_late)
    assert words in outcome.message
