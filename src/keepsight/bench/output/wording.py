"""Texts of table parts: numbers, marks, headers and legend, for every output format."""

from collections.abc import Callable
from dataclasses import dataclass

from keepsight.bench.output.tables import Cell, Row, Table

NOISE_MARK = "~"
MISSING = "-"


@dataclass(frozen=True)
class Entry:
    """Text of a cell.

    Attributes:
        number: `61.2`.
        interval: `[58.0, 64.3]` or empty.
        mark: mark of a difference within noise, or empty.
    """

    number: str
    interval: str = ""
    mark: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.number, self.interval, self.mark) if part)


@dataclass(frozen=True)
class Column:
    """A header with its entries."""

    header: str
    entries: tuple[Entry, ...]


def columns_of(table: Table) -> list[Column]:
    """All columns after the method names: number of questions, first share, comparison, p, other shares."""
    questions = _column(table, "n", lambda row: Entry(str(row.num_questions)))
    first, *others = [
        Column(one_line(name), tuple(_share(row.cells.get(name)) for row in table.rows)) for name in table.columns
    ]
    columns = [questions, first]
    if table.reference is not None:
        columns.append(_column(table, "difference", _difference))
    if any(row.p_value is not None for row in table.rows):
        columns.append(_column(table, "p", lambda row: Entry(_p(row.p_value))))
    if sum(row.p_corrected is not None for row in table.rows) > 1:
        columns.append(_column(table, "p Holm", lambda row: Entry(_p(row.p_corrected))))
    return columns + others


def legend(table: Table) -> list[str]:
    """Sentences that explain the numbers and marks of a table."""
    cells = [cell for row in table.rows for cell in (*row.cells.values(), row.difference) if cell]
    intervals = f", with {table.interval_percent:g} % intervals in brackets" if any(c.interval for c in cells) else ""
    sentences = [f"Values are per cent{intervals}; n is the number of questions."]
    if table.reference is not None:
        first, reference = one_line(table.columns[0]), one_line(table.reference)
        sentences.append(f"A difference is {first} of a method minus {first} of {reference}, by question, in points.")
    if table.test:
        sentences.append(one_line(table.test))
    if any(row.inside_noise for row in table.rows):
        corrected = "corrected " if any(row.p_corrected is not None for row in table.rows) else ""
        sentences.append(
            f"{NOISE_MARK} marks a difference inside the noise: its interval contains 0, or its {corrected}p is 0.05 "
            "or more."
        )
    return sentences


def one_line(text: str) -> str:
    """Text on one line, without runs of blanks and terminal control characters."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def percent(share: float, *, signed: bool = False) -> str:
    """`61.2` for 0.612; signed on request, except zero: `+1.2`."""
    text = f"{100 * share:{'+' if signed else ''}.1f}"
    return "0.0" if float(text) == 0 else text


def _column(table: Table, header: str, entry_of: Callable[[Row], Entry]) -> Column:
    return Column(one_line(header), tuple(entry_of(row) for row in table.rows))


def _share(cell: Cell | None, *, signed: bool = False) -> Entry:
    if cell is None:
        return Entry(MISSING)
    ends = ", ".join(percent(end, signed=signed) for end in cell.interval)
    return Entry(percent(cell.value, signed=signed), f"[{ends}]" if ends else "")


def _difference(row: Row) -> Entry:
    entry = _share(row.difference, signed=True)
    return Entry(entry.number, entry.interval, NOISE_MARK if row.inside_noise else "")


def _p(p_value: float | None) -> str:
    if p_value is None:
        return MISSING
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
