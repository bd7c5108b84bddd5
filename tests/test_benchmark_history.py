"""The history of benchmarks: intervals by hand, verdicts over made-up histories, and runs of a tiny benchmark."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.history import __main__ as history
from benchmarks.history.entries import Conditions, Entry, append_history, entry_of, read_history
from benchmarks.history.judging import MOST_EARLIER, judge
from benchmarks.rig.ratios import Ratio
from tests.child_process import ROOT, importing_tests

HERE = Conditions("a processor", 2, is_quick=True)


def measured(ratio: float, spread: float = 0.0, **more: Any) -> Entry:
    """An entry whose interval reaches a share `spread` up and down; none for 0."""
    low, high = (ratio / (1 + spread), ratio * (1 + spread)) if spread else (None, None)
    entry = Entry("2026-01-01T00:00:00+00:00", "abc", HERE, "decode", "ours / theirs", ratio, low, high)
    return replace(entry, **more)


def test_the_interval_of_two_repeats_by_hand() -> None:
    """Logarithms 0 and ln 4: mean ln 2, standard error ln 2, Student's t of one degree 12.7062."""
    entry = entry_of("now", "abc", HERE, "decode", Ratio("a / b", (1.0, 4.0)))
    assert entry.ratio == pytest.approx(2)
    assert entry.low == pytest.approx(2 ** (1 - 12.7062), rel=1e-4)
    assert entry.high == pytest.approx(2 ** (1 + 12.7062), rel=1e-4)
    alone = entry_of("now", "abc", HERE, "decode", Ratio("a / b", (1.5,)))
    assert (alone.ratio, alone.low, alone.high) == (pytest.approx(1.5), None, None)


@pytest.mark.parametrize(
    ("earlier", "new", "is_worse"),
    [
        ([], measured(9.0, 0.01), False),  # nothing to compare with
        ([measured(1.0, 0.01)], measured(1.10, 0.01), True),
        ([measured(1.0, 0.01)], measured(0.80, 0.01), False),  # better
        ([measured(1.0, 0.01)], measured(1.10, 0.20), False),  # its repeats differ by more
        ([measured(1.0, 0.20)], measured(1.10, 0.01), False),  # theirs did
        ([measured(1.0), measured(1.0)], measured(5.0), False),  # without intervals two say nothing of the noise
        ([measured(1.0), measured(1.0), measured(1.0)], measured(1.03), True),
        ([measured(1.0), measured(1.0), measured(1.0)], measured(1.01), False),  # any two runs differ by as much
        ([measured(1.0), measured(1.3), measured(0.8)], measured(1.4, 0.01), False),  # runs differ by more
        ([measured(1.0, 0.01)], measured(0.80, 0.01, higher_is_better=True), True),
        ([measured(1.0, 0.01)], measured(1.30, 0.01, higher_is_better=True), False),
    ],
)
def test_verdicts(earlier: list[Entry], new: Entry, is_worse: bool) -> None:
    assert judge(new, earlier).is_worse == is_worse


@pytest.mark.parametrize(
    "other",
    [
        measured(1.0, 0.01, is_worse=True),
        replace(measured(1.0, 0.01), name="another"),
        replace(measured(1.0, 0.01), benchmark="export"),
        replace(measured(1.0, 0.01), conditions=replace(HERE, cores=4)),
        replace(measured(1.0, 0.01), conditions=replace(HERE, processor="another")),
        replace(measured(1.0, 0.01), conditions=replace(HERE, is_quick=False)),
    ],
)
def test_what_is_not_compared_with(other: Entry) -> None:
    assert judge(measured(2.0, 0.01), [other]).usual is None


def test_an_accepted_entry_is_a_new_start() -> None:
    found = judge(measured(2.0, 0.01), [measured(1.0, 0.01), measured(2.0, 0.01, is_accepted=True)])
    assert (found.usual, found.is_worse) == (pytest.approx(2), False)


def test_a_slow_rise_is_found() -> None:
    """Each run is 1 % above the one before, which is less than its noise."""
    past = [measured(1.01**number, 0.015) for number in range(MOST_EARLIER)]
    found = [judge(entry, past[:number]).is_worse for number, entry in enumerate(past)]
    assert not any(found[:4])
    assert any(found)


def test_false_alarms_are_as_rare_as_the_interval_says() -> None:
    """Runs that differ by normal noise of 10 %: one side of a 95 % interval is left in 2.5 % of the cases."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(2000):
        *past, new = (measured(math.exp(0.1 * value)) for value in rng.standard_normal(11))
        alarms += judge(new, past).is_worse
    assert alarms / 2000 == pytest.approx(0.025, abs=0.012)


def test_the_file_keeps_entries(tmp_path: Path) -> None:
    path = tmp_path / "ratios.jsonl"
    assert read_history(path) == []
    entries = [measured(1.25, 0.01), measured(2.0)]
    append_history(path, entries[:1])
    append_history(path, entries[1:])
    assert read_history(path) == entries
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("line", ["no JSON", "3", '{"date": "now"}', '{"conditions": {}, "more": 1}'])
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    path = tmp_path / "ratios.jsonl"
    append_history(path, [measured(1.0)])
    with path.open("a") as file:
        file.write(line + "\n")
    assert history.main(["--file", str(path)]) == 2
    assert f"line 2 of {path} must be an entry" in capsys.readouterr().err


TINY = """
import json, pathlib, sys
costs = pathlib.Path(__file__).with_name("costs.json")
left = json.loads(costs.read_text())
values = left.pop(0)
costs.write_text(json.dumps(left))
if values is None:
    sys.exit("the disk is on fire")
out = pathlib.Path(sys.argv[sys.argv.index("--ratios") + 1])
out.write_text(json.dumps({"name": "a / b", "values": values, "higher_is_better": False}) + "\\n")
"""


class Tiny:
    """A benchmark whose costs are made up, in a folder of its own, and the history that is kept of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = folder / "ratios.jsonl"
        self._costs = folder / "benchmarks" / "costs.json"
        self._capsys = capsys

    def run(self, *words: str, costs: list[list[float] | None]) -> tuple[int, str]:
        """Exit code and what is printed, where each run of the benchmark has the next costs."""
        self._costs.write_text(json.dumps(costs))
        code = history.main(["--file", str(self.path), "--only", "tiny", *words])
        assert json.loads(self._costs.read_text()) == []  # it ran as often as there were costs
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err

    @property
    def ratios(self) -> list[float]:
        return [round(entry.ratio, 3) for entry in read_history(self.path)]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tiny:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "tiny.py").write_text(TINY)
    monkeypatch.setattr(history, "ROOT", tmp_path)
    monkeypatch.setattr(history, "HISTORY", tmp_path / "ratios.jsonl")
    monkeypatch.setattr(history, "RATIO_BENCHMARKS", ("tiny",))
    return Tiny(tmp_path, capsys)


def test_worse_is_measured_again_and_said(tiny: Tiny) -> None:
    assert tiny.run(costs=[[1.00, 1.01, 0.99]])[0] == 0
    assert tiny.run(costs=[[1.01, 1.02, 1.00]])[0] == 0
    code, said = tiny.run(costs=[[1.5, 1.51, 1.52], [1.01, 1.0, 1.0]])  # something disturbed the first run
    assert (code, "Worse" in said) == (0, False)
    code, said = tiny.run(costs=[[1.5, 1.51, 1.52], [1.49, 1.5, 1.51]])
    assert code == 1
    (line,) = said.partition("Worse than before:\n")[2].splitlines()
    assert line.startswith("tiny: a / b: 1.500 (")
    assert "1.004 before: worse (49" in line
    assert [entry.is_worse for entry in read_history(tiny.path)] == [False, False, False, True]
    assert tiny.ratios == [1.0, 1.01, 1.003, 1.5]
    assert tiny.run(costs=[[1.5, 1.51, 1.52], [1.49, 1.5, 1.51]])[0] == 1  # it is still worse
    assert tiny.run("--accept", costs=[[1.5, 1.51, 1.52]])[0] == 0
    assert tiny.run(costs=[[1.5, 1.51, 1.52]])[0] == 0


def test_runs_of_the_quick_variant_are_pooled(tiny: Tiny) -> None:
    assert tiny.run("--quick", costs=[[1.0], [2.0], [4.0]])[0] == 0
    (entry,) = read_history(tiny.path)
    assert (entry.ratio, entry.conditions.is_quick) == (pytest.approx(2), True)
    assert entry.low is not None
    assert entry.low < 1
    assert tiny.run("--quick", "--runs", "1", costs=[[2.5]])[0] == 0


def test_a_benchmark_that_fails_is_said_and_not_kept(tiny: Tiny) -> None:
    code, said = tiny.run(costs=[None])
    assert code == 2
    assert said == "tiny failed with exit code 1: the disk is on fire\n"
    assert not tiny.path.exists()


def test_words_that_make_no_sense_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in ((["--runs", "0"], "--runs must be 1 or more, got 0"), (["--only", "x"], "invalid choice")):
        with pytest.raises(SystemExit) as ended:
            history.main(words)
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", history.RATIO_BENCHMARKS)
def test_each_benchmark_of_the_history_takes_its_option(name: str) -> None:
    assert "add_ratios_option(parser)" in (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_real_benchmark_is_kept_and_found_worse(tmp_path: Path) -> None:
    path = tmp_path / "ratios.jsonl"
    words = ["-m", "benchmarks.history", "--quick", "--runs", "1", "--only", "retrieval", "--file", str(path)]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=importing_tests(), capture_output=True, text=True, check=False
        )

    assert run().returncode == 0
    entries = read_history(path)
    assert len(entries) == 2
    assert all(entry.ratio > 0 and len(entry.commit) >= 7 and entry.conditions.is_quick for entry in entries)
    made_up = [replace(entry, ratio=entry.ratio / 1000) for entry in entries]
    path.write_text("")
    append_history(path, made_up * 3)
    found = run()
    assert (found.returncode, found.stderr) == (1, "")
    assert len(found.stdout.partition("Worse than before:\n")[2].splitlines()) == 2
