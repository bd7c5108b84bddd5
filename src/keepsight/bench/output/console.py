"""Tables for terminals of any width, without colour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from keepsight.bench.output.tables import Table
from keepsight.bench.output.wording import Column, columns_of, legend, one_line

_GAP = 2
_WIDEST_HEADER = 14
_NARROWEST_NAME = 12


@dataclass(frozen=True)
class _Fitted:
    """A column with padded texts, aligned by digit."""

    header: str
    texts: tuple[str, ...]
    width: int


@dataclass(frozen=True)
class ConsoleTable:
    """Renderable for `rich`: `console.print(ConsoleTable(table))`.

    On narrow terminals intervals go below their numbers; if still too wide, columns are spread over several tables,
    each with the method names. Numbers are never truncated.

    Attributes:
        table: what is printed.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The title, the table or tables, the caption and the legend."""
        names = [one_line(row.method) for row in self.table.rows]
        yield Text(one_line(self.table.title), style="bold")
        for number, (name_width, block) in enumerate(_blocks(columns_of(self.table), names, options.max_width)):
            if number:
                yield Text()
            yield _drawn(names, name_width, block)
        yield Text()
        for sentence in filter(None, (one_line(self.table.caption), " ".join(legend(self.table)))):
            yield Text(sentence)


def _blocks(columns: Sequence[Column], names: Sequence[str], max_width: int) -> Iterator[tuple[int, Sequence[_Fitted]]]:
    """Name width and columns of each table: one if possible, else as few as possible."""
    whole_names = max((cell_len(name) for name in [*names, "method"]), default=0)
    folded_names = min(whole_names, max(_NARROWEST_NAME, 2 * max_width // 5))
    on_one_line = [_on_one_line(column) for column in columns]
    stacked = [_stacked(column) for column in columns]
    for name_width, fitted in ((whole_names, on_one_line), (whole_names, stacked), (folded_names, stacked)):
        if name_width + _width(fitted) <= max_width:
            yield name_width, fitted
            return
    block: list[_Fitted] = []
    for column in stacked:
        if block and folded_names + _width([*block, column]) > max_width:
            yield folded_names, block
            block = []
        block.append(column)
    yield folded_names, block


def _width(columns: Sequence[_Fitted]) -> int:
    return sum(_GAP + column.width for column in columns)


def _on_one_line(column: Column) -> _Fitted:
    """`61.2 [58.0, 64.3] ~`, with its three parts aligned."""
    parts = [(entry.number, entry.interval, entry.mark) for entry in column.entries]
    widths = [max((len(part) for part in alike), default=0) for alike in zip(*parts, strict=True)]
    padded = [[part.rjust(width) for part, width in zip(three, widths, strict=True) if width] for three in parts]
    return _fitted(column, [" ".join(three) for three in padded])


def _stacked(column: Column) -> _Fitted:
    """The interval below the number, both right-aligned."""
    mark_width = max((len(entry.mark) for entry in column.entries), default=0)
    numbers = [f"{entry.number} {entry.mark:{mark_width}}" if mark_width else entry.number for entry in column.entries]
    intervals = [entry.interval for entry in column.entries]
    width = max((len(text) for text in (*numbers, *intervals)), default=0)
    lines = zip(numbers, intervals, strict=True)
    return _fitted(column, ["\n".join(line.rjust(width) for line in pair if line) for pair in lines])


def _fitted(column: Column, texts: Sequence[str]) -> _Fitted:
    """Lines in a width that fits a header of moderate length; longer headers are folded."""
    entry_width = max((len(line) for text in texts for line in text.split("\n")), default=0)
    width = max(entry_width, min(cell_len(column.header), _WIDEST_HEADER))
    padded = ("\n".join(line.rjust(width) for line in text.split("\n")) for text in texts)
    return _Fitted(column.header, tuple(padded), width)


def _drawn(names: Sequence[str], name_width: int, columns: Sequence[_Fitted]) -> RichTable:
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, _GAP - 1, 0, 0), pad_edge=False)
    drawn.add_column(Text("method"), width=name_width, overflow="fold", vertical="top")
    for column in columns:
        header = Text(column.header, justify="right")
        drawn.add_column(header, width=column.width, overflow="fold", vertical="top")
    for index, name in enumerate(names):
        drawn.add_row(Text(name), *(Text(column.texts[index]) for column in columns))
    return drawn
