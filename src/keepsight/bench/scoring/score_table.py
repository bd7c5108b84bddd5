"""Accuracies by group and task, and the averages that benchmarks report."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from keepsight.errors import DataError


@dataclass(frozen=True)
class ScoreRow:
    """One task.

    Attributes:
        group: group of its average.
        task: name of the task.
        accuracy: mean score, from 0 to 1.
        num_questions: at least one.
    """

    group: str
    task: str
    accuracy: float
    num_questions: int


@dataclass(frozen=True)
class ScoreTable:
    """Tasks of a results file, groups and tasks in order of appearance.

    Attributes:
        benchmark: its name.
        rows: at least one.
        by_task: True to average tasks within groups and then groups (OVO-Bench); False to weigh all questions equally.
        num_skipped: questions without a reply, which are in no row.
    """

    benchmark: str
    rows: tuple[ScoreRow, ...]
    by_task: bool = False
    num_skipped: int = 0

    @classmethod
    def of(
        cls, benchmark: str, scores: Iterable[tuple[str, str, float]], *, by_task: bool = False, num_skipped: int = 0
    ) -> Self:
        """Table of scores with their groups and tasks.

        Raises:
            DataError: there is none.
        """
        gathered: dict[tuple[str, str], list[float]] = {}
        for group, task, score in scores:
            gathered.setdefault((group, task), []).append(score)
        if not gathered:
            raise DataError(f"no answers to score for {benchmark}")
        rows = tuple(ScoreRow(*names, fmean(values), len(values)) for names, values in gathered.items())
        return cls(benchmark, rows, by_task, num_skipped)

    @property
    def num_questions(self) -> int:
        """Number of questions in all rows."""
        return sum(row.num_questions for row in self.rows)

    @property
    def groups(self) -> dict[str, float]:
        """Group -> accuracy."""
        names = dict.fromkeys(row.group for row in self.rows)
        return {name: self._average(row for row in self.rows if row.group == name) for name in names}

    @property
    def overall(self) -> float:
        """Mean of the groups, or of all questions, see `by_task`."""
        return fmean(self.groups.values()) if self.by_task else self._average(self.rows)

    @property
    def mean_of_tasks(self) -> float:
        """Mean of all tasks regardless of group. Ours, for comparison; no benchmark reports it (see `overall`)."""
        return fmean(row.accuracy for row in self.rows)

    def _average(self, rows: Iterable[ScoreRow]) -> float:
        chosen = list(rows)
        weights = None if self.by_task else [row.num_questions for row in chosen]
        return fmean((row.accuracy for row in chosen), weights)
