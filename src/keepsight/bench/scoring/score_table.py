"""Accuracies by group and task, and the averages that benchmarks report."""

from collections.abc import Iterable, Mapping, Sequence
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
    """Tasks of a results file.

    Attributes:
        benchmark: its name.
        rows: at least one; groups and tasks in the benchmark's order, else in order of appearance.
        by_task: True to average tasks within groups and then groups (OVO-Bench); False to weigh all questions equally.
        num_skipped: questions without a reply, which are in no row.
        notes: what a reader of the numbers must know, such as missing tasks; one sentence each.
    """

    benchmark: str
    rows: tuple[ScoreRow, ...]
    by_task: bool = False
    num_skipped: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        benchmark: str,
        scores: Iterable[tuple[str, str, float]],
        *,
        expected: Mapping[str, Sequence[str]] | None = None,
        by_task: bool = False,
        num_skipped: int = 0,
        notes: Sequence[str] = (),
    ) -> Self:
        """Table of scores with their groups and tasks.

        Args:
            benchmark: its name.
            scores: group, task and score of each question.
            expected: all groups and tasks of the benchmark, in its order; missing ones become a note.
            by_task: see the attribute.
            num_skipped: see the attribute.
            notes: see the attribute.

        Raises:
            DataError: there is no score.
        """
        gathered: dict[tuple[str, str], list[float]] = {
            (group, task): [] for group, tasks in (expected or {}).items() for task in tasks
        }
        for group, task, score in scores:
            gathered.setdefault((group, task), []).append(score)
        rows = tuple(ScoreRow(*names, fmean(values), len(values)) for names, values in gathered.items() if values)
        if not rows:
            raise DataError(f"no answers to score for {benchmark}")
        missing = [task for (_, task), values in gathered.items() if not values]
        more = (f"no answers for {', '.join(missing)}; the averages leave them out",) if missing else ()
        return cls(benchmark, rows, by_task, num_skipped, (*notes, *more))

    @property
    def num_questions(self) -> int:
        """Number of questions in all rows."""
        return sum(row.num_questions for row in self.rows)

    @property
    def groups(self) -> dict[str, float]:
        """Group -> accuracy."""
        names = dict.fromkeys(row.group for row in self.rows)
        return {name: self._average(self.of_group(name)) for name in names}

    @property
    def overall(self) -> float:
        """Mean of the groups, or of all questions, see `by_task`."""
        return fmean(self.groups.values()) if self.by_task else self._average(self.rows)

    @property
    def mean_of_tasks(self) -> float:
        """Mean of all tasks regardless of group, which the first version of OVO-Bench's script printed as its total."""
        return fmean(row.accuracy for row in self.rows)

    def of_group(self, group: str) -> list[ScoreRow]:
        """Rows of a group."""
        return [row for row in self.rows if row.group == group]

    def _average(self, rows: Iterable[ScoreRow]) -> float:
        chosen = list(rows)
        weights = None if self.by_task else [row.num_questions for row in chosen]
        return fmean((row.accuracy for row in chosen), weights)
