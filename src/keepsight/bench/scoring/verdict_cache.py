"""Verdicts of a judge on disk: equal questions are asked once, in one run and in later ones.

A file for each judge, named by a digest of all that its verdicts depend on; so another model, prompt or temperature
asks again. A verdict is a line, written when it arrives. A line with a wrong checksum, such as one that a crash broke
off, counts for nothing, and its question is asked again. Several runs may append to one file.
"""

import hashlib
import json
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from keepsight.bench.scoring.base import MAX_RATING
from keepsight.bench.scoring.verdict import Verdict
from keepsight.errors import KeepsightError

_FORMAT = 1
"""Increment it when the same judge gives another verdict by a change of this code."""


class IdentifiedJudge(Protocol):
    """A judge whose verdicts can be kept."""

    @property
    def identity(self) -> str:
        """All that its verdicts depend on."""

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """See `judge.AnswerJudge`."""


class VerdictCache:
    """A judge that remembers its verdicts. Its `repr`, for the results file, is that of the judge.

    Threads that ask the same at the same time wait for one verdict.

    Args:
        judge: asked what is not known.
        folder: of the files; created with the first verdict.
    """

    def __init__(self, judge: IdentifiedJudge, folder: Path) -> None:
        self._judge = judge
        self._path = folder / f"{_digest(_FORMAT, judge.identity)}.jsonl"
        self._lock = threading.Lock()
        self._is_begun = False
        self._verdicts: dict[str, Future[Verdict]] = {}
        for key, verdict in _read(self._path).items():
            self._verdicts[key] = Future()
            self._verdicts[key].set_result(verdict)

    def __repr__(self) -> str:
        return repr(self._judge)

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """A known verdict, else the judge's.

        Raises:
            JudgeError: the judge failed; a later call asks again.
            KeepsightError: the verdict cannot be stored.
        """
        key = _digest(question, answer, prediction)
        with self._lock:
            waited = self._verdicts.get(key)
            known = waited if waited is not None else self._verdicts.setdefault(key, Future())
        if waited is not None:
            return waited.result()
        try:
            verdict = self._judge.judge(question, answer, prediction)
            self._store(key, verdict)
        except BaseException as error:
            with self._lock:
                del self._verdicts[key]
            known.set_exception(error)  # raised in the threads that wait for this verdict, too
            raise
        known.set_result(verdict)
        return verdict

    def _store(self, key: str, verdict: Verdict) -> None:
        line = {"key": key, "right": verdict.right, "rating": verdict.rating, "check": _check(key, verdict)}
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("ab") as file:
                    # What an earlier run left may end within a line.
                    head = "" if self._is_begun else f"\n{json.dumps({'judge': self._judge.identity})}\n"
                    file.write(f"{head}{json.dumps(line)}\n".encode())
            except OSError as error:
                raise KeepsightError(f"cannot store verdicts in {self._path}: {error.strerror or error}") from error
            self._is_begun = True


def _read(path: Path) -> dict[str, Verdict]:
    """Intact verdicts of a file; a file that cannot be read has none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    return dict(pair for line in lines if (pair := _verdict(line)) is not None)


def _verdict(line: bytes) -> tuple[str, Verdict] | None:
    try:
        record: Any = json.loads(line)
        key, right, rating = record["key"], record["right"], record["rating"]
        if not isinstance(key, str) or type(right) is not bool or type(rating) is not int:
            return None
        verdict = Verdict(right, rating)
        is_intact = 0 <= rating <= MAX_RATING and record["check"] == _check(key, verdict)
        return (key, verdict) if is_intact else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _check(key: str, verdict: Verdict) -> str:
    return _digest(key, verdict.right, verdict.rating)[:16]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
