"""Contents of a benchmark table: methods down, kinds of question across."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from keepsight.errors import SettingError


@dataclass(frozen=True)
class Cell:
    """A share or a difference of two shares, with its interval.

    Attributes:
        value: from 0 to 1 for a share, from -1 to 1 for a difference.
        low: lower end of the interval, or None.
        high: upper end, or None.

    Raises:
        SettingError: a number is not finite or outside -1 to 1, or the interval is incomplete or has low > high.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not all(-1 <= number <= 1 for number in (self.value, *self.interval)):
            raise SettingError(f"numbers of a table must be shares from -1 to 1, got {self}")
        if (self.low is None) != (self.high is None) or list(self.interval) != sorted(self.interval):
            raise SettingError(f"an interval must have low <= high, got {self}")

    @property
    def interval(self) -> tuple[float, ...]:
        """Low and high end, or nothing."""
        return tuple(end for end in (self.low, self.high) if end is not None)


@dataclass(frozen=True)
class Row:
    """Row of one method.

    Attributes:
        method: its name, unique in the table.
        cells: column -> share. A column may be missing if there was no question of that kind.
        num_questions: number of questions of all kinds.
        difference: share of the table's first column minus that of the reference, question by question; None for the
            reference itself, and without comparison.
        p_value: of the test of that difference, from 0 to 1; None without a test.
        inside_noise: whether the difference may be chance; set with a difference.
        p_corrected: p corrected for all comparisons of the table, at least `p_value`; None if it was not.

    Raises:
        SettingError: the name is blank, a share is negative, or the comparison is inconsistent.
    """

    method: str
    cells: dict[str, Cell]
    num_questions: int
    difference: Cell | None = None
    p_value: float | None = None
    inside_noise: bool | None = None
    p_corrected: float | None = None

    def __post_init__(self) -> None:
        if not self.method.strip():
            raise SettingError("a table row must name a method, got a blank")
        if self.num_questions < 0 or any(cell.value < 0 for cell in self.cells.values()):
            raise SettingError(f"number of questions and shares of {self.method!r} must be at least 0")
        if (self.difference is None) != (self.inside_noise is None):
            raise SettingError(f"difference of {self.method!r} must say whether it is within noise")
        if self.p_value is not None and (self.difference is None or not 0 <= self.p_value <= 1):
            raise SettingError(
                f"p of {self.method!r} must be between 0 and 1 and come with a difference, got {self.p_value}"
            )
        if self.p_corrected is not None and (self.p_value is None or not self.p_value <= self.p_corrected <= 1):
            raise SettingError(
                f"corrected p of {self.method!r} must be between its p and 1, got {self.p_corrected} for {self.p_value}"
            )


@dataclass(frozen=True)
class Table:
    """Methods with their accuracies.

    Attributes:
        title: what is compared, in a few words.
        caption: how it was measured: data set, model, scoring, test.
        columns: kinds of question; differences are of the first.
        rows: in order.
        reference: method to compare with, or None.
        interval_percent: confidence of all intervals.
        test: sentence on what p is and for how many comparisons it was corrected; empty without p.

    Raises:
        SettingError: a column or a method is there twice, a row has a cell without a column, the reference has no row,
            or there are differences without a reference.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: str | None = None
    interval_percent: float = 95.0
    test: str = ""

    def __post_init__(self) -> None:
        methods = [row.method for row in self.rows]
        if not self.columns or _repeats(self.columns) or _repeats(methods):
            raise SettingError(f"table {self.title!r} must have columns, and each column and method once")
        for row in self.rows:
            stray = [column for column in row.cells if column not in self.columns]
            if stray:
                raise SettingError(
                    f"row {row.method!r} has a cell for {stray[0]!r}, which is no column of table {self.title!r}"
                )
        compared = [row.method for row in self.rows if row.difference is not None]
        if (self.reference is None and compared) or self.reference in compared:
            raise SettingError(
                f"table {self.title!r} must compare with another method, got {compared} with {self.reference!r}"
            )
        if self.reference is not None and self.reference not in methods:
            raise SettingError(f"table {self.title!r} has no row for its reference {self.reference!r}")
        if any(row.difference is not None and self.columns[0] not in row.cells for row in self.rows):
            raise SettingError(f"table {self.title!r} has a difference without a cell in column {self.columns[0]!r}")
        if not (math.isfinite(self.interval_percent) and 0 < self.interval_percent < 100):
            raise SettingError(f"interval_percent must be above 0 and below 100, got {self.interval_percent}")


def _repeats(names: Iterable[str]) -> bool:
    listed = list(names)
    return len(set(listed)) < len(listed)
