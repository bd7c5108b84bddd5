"""Entries of the history: one ratio of one benchmark, measured on one kind of machine at one commit."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

from benchmarks.rig.machine import cpu_name
from benchmarks.rig.ratios import Ratio
from keepsight.bench.statistics import student_t_quantile


@dataclass(frozen=True)
class Conditions:
    """What entries must share to be compared.

    Attributes:
        processor: its model.
        cores: number of them.
        is_quick: whether the benchmark ran with `--quick`.
    """

    processor: str
    cores: int
    is_quick: bool

    @classmethod
    def here(cls, is_quick: bool) -> "Conditions":
        """Those of this machine."""
        return cls(cpu_name(), os.cpu_count() or 1, is_quick)


@dataclass(frozen=True)
class Entry:
    """A line of the file.

    Attributes:
        date: day and time, UTC, ISO 8601.
        commit: of the sources; with `+` behind it where they were changed since.
        conditions: machine and variant.
        benchmark: name of the script.
        name: of the ratio.
        ratio: geometric mean over repeats.
        low: lower end of its 95 % interval by Student's t; None for a single repeat.
        high: upper end.
        higher_is_better: otherwise lower is.
        is_worse: whether it was found worse than the entries before it. It is not compared with later on.
        is_accepted: later entries are compared with this one and those behind it.
    """

    date: str
    commit: str
    conditions: Conditions
    benchmark: str
    name: str
    ratio: float
    low: float | None
    high: float | None
    higher_is_better: bool = False
    is_worse: bool = False
    is_accepted: bool = False

    @property
    def half_width(self) -> float:
        """Half of the interval of the ratio's logarithm; 0 where there is none."""
        return 0.0 if self.high is None else math.log(self.high / self.ratio)


def entry_of(date: str, commit: str, conditions: Conditions, benchmark: str, ratio: Ratio) -> Entry:
    """The entry of a ratio that was measured."""
    logs = [math.log(value) for value in ratio.values]
    middle, low, high = math.exp(mean(logs)), None, None
    if len(logs) > 1:
        half = student_t_quantile(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
        low, high = middle * math.exp(-half), middle * math.exp(half)
    return Entry(date, commit, conditions, benchmark, ratio.name, middle, low, high, ratio.higher_is_better)


def read_history(path: Path) -> list[Entry]:
    """Entries of the file, the oldest first; none where there is no file.

    Raises:
        ValueError: A line is no entry.
    """
    entries = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            entries.append(Entry(**{**fields, "conditions": Conditions(**fields["conditions"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"line {number} of {path} must be an entry of the history: {error}") from error
    return entries


def append_history(path: Path, entries: Sequence[Entry]) -> None:
    """Write entries behind those of the file."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
