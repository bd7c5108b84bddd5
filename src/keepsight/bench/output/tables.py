"""What a benchmark's table holds, whatever it is printed as: methods down, kinds of question across."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from keepsight.errors import SettingError


@dataclass(frozen=True)
class Cell:
    """A share or a difference of two shares, with its interval.

    Attributes:
        value: from 0 to 1 for a share, from -1 to 1 for a difference.
        low: lower end of the interval, None where there is none.
        high: upper end of it.

    Raises:
        SettingError: a number is not finite or outside -1 to 1, or the interval has one end only or is upside down.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not all(-1 <= number <= 1 for number in (self.value, *self.interval)):
            raise SettingError(f"numbers of a table are shares from -1 to 1, not {self}")
        if (self.low is None) != (self.high is None) or list(self.interval) != sorted(self.interval):
            raise SettingError(f"an interval has a low end and a high end, in this order, not {self}")

    @property
    def interval(self) -> tuple[float, ...]:
        """Low and high end, or nothing."""
        return tuple(end for end in (self.low, self.high) if end is not None)


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        method: its name, unique in the table.
        cells: column -> share. A column may be missing: the method had no question of that kind.
        num_questions: how many were asked, of all kinds.
        difference: share of the table's first column minus that of the reference, question by question; None for the
            reference itself, and where nothing was compared.
        p_value: of the test of that difference, from 0 to 1; None without a test.
        inside_noise: whether the difference can be chance; known where there is a difference.

    Raises:
        SettingError: the name is blank, a share is negative, or the parts of the comparison do not go together.
    """

    method: str
    cells: dict[str, Cell]
    num_questions: int
    difference: Cell | None = None
    p_value: float | None = None
    inside_noise: bool | None = None

    def __post_init__(self) -> None:
        if not self.method.strip():
            raise SettingError("a row of a table needs the name of a method, not a blank")
        if self.num_questions < 0 or any(cell.value < 0 for cell in self.cells.values()):
            raise SettingError(f"number of questions and shares of {self.method!r} are 0 or more")
        if (self.difference is None) != (self.inside_noise is None):
            raise SettingError(f"difference of {self.method!r} goes with whether it is inside the noise")
        if self.p_value is not None and (self.difference is None or not 0 <= self.p_value <= 1):
            raise SettingError(f"p of {self.method!r} is from 0 to 1 and goes with a difference, not {self.p_value}")


@dataclass(frozen=True)
class Table:
    """Methods and their shares of right answers.

    Attributes:
        title: what is compared, in a few words.
        caption: how it was measured: data set, model, scoring, test.
        columns: kinds of question; differences are of the first.
        rows: in the order of printing.
        reference: method that the others are compared with, None if nothing was compared.
        interval_percent: confidence of all intervals.

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

    def __post_init__(self) -> None:
        methods = [row.method for row in self.rows]
        if not self.columns or _repeats(self.columns) or _repeats(methods):
            raise SettingError(f"table {self.title!r} needs columns, and each column and method once")
        for row in self.rows:
            stray = [column for column in row.cells if column not in self.columns]
            if stray:
                raise SettingError(
                    f"table {self.title!r} has no column {stray[0]!r}, which {row.method!r} has a cell of"
                )
        compared = [row.method for row in self.rows if row.difference is not None]
        if (self.reference is None and compared) or self.reference in compared:
            raise SettingError(
                f"table {self.title!r} compares {compared} with {self.reference!r}; need is another method"
            )
        if self.reference is not None and self.reference not in methods:
            raise SettingError(f"table {self.title!r} has no row of its reference {self.reference!r}")
        if any(row.difference is not None and self.columns[0] not in row.cells for row in self.rows):
            raise SettingError(f"table {self.title!r} has a difference without a cell in column {self.columns[0]!r}")
        if not (math.isfinite(self.interval_percent) and 0 < self.interval_percent < 100):
            raise SettingError(f"intervals are of more than 0 and less than 100 per cent, not {self.interval_percent}")


def _repeats(names: Iterable[str]) -> bool:
    listed = list(names)
    return len(set(listed)) < len(listed)
