"""Bar plots: methods side by side per kind of question."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepsight.bench.output.figures import STYLES, add_legend, check_plot, drawing, new_axes, plain, save
from keepsight.bench.output.tables import Cell, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_BAR_INCHES = 0.17
_GAP_BARS = 0.9
_TASK_CHARACTERS = 26


def bar_plot(path: Path, table: Table, x_label: str) -> None:
    """Draw a table as horizontal bars: a group per column, with a bar and interval per method.

    Args:
        path: ends in `.png` or `.svg`.
        table: at most 8 methods; its title is the plot's title, its caption goes below.
        x_label: label of the shares.

    Raises:
        SettingError: matplotlib is missing, the suffix is another, or the table has no or too many rows.
        OSError: writing failed.
    """
    check_plot(path, len(table.rows))
    group_bars = len(table.rows) + _GAP_BARS
    methods = [row.method for row in table.rows]
    with drawing():
        axes_inches = _BAR_INCHES * (group_bars * len(table.columns) + 1)
        figure, axes = new_axes(table.title, table.caption, methods, axes_inches)
        bars = [_draw(axes, table, number, group_bars) for number in range(len(table.rows))]
        centres = [index * group_bars + (len(table.rows) - 1) / 2 for index in range(len(table.columns))]
        axes.set_yticks(centres, [plain(column, _TASK_CHARACTERS) for column in table.columns])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(group_bars * len(table.columns) - _GAP_BARS, -1)
        axes.set_xlim(0, _right_end(table))
        axes.set_xlabel(plain(x_label, 80))
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
        axes.grid(axis="x")
        add_legend(axes, bars, methods)
        save(figure, path)


def _draw(axes: "Axes", table: Table, number: int, group_bars: float) -> "Patch":
    """Draw one method's bars, top to bottom, and return its legend handle."""
    from matplotlib.patches import Patch

    row, style = table.rows[number], STYLES[number]
    places = {column: index * group_bars + number for index, column in enumerate(table.columns)}
    for column in [name for name in table.columns if name not in row.cells]:
        axes.text(0, places[column], " no questions", va="center", fontsize=7, color="#666666")
    shown = [(places[column], row.cells[column]) for column in table.columns if column in row.cells]
    _draw_intervals(axes, shown)
    face = _tint(style.colour) if style.hatch else style.colour
    look: dict[str, Any] = {"facecolor": face, "edgecolor": "#222222", "linewidth": 0.6, "hatch": style.hatch}
    axes.barh([place for place, _ in shown], [cell.value for _, cell in shown], height=0.84, **look)
    return Patch(**look)


def _draw_intervals(axes: "Axes", shown: list[tuple[float, Cell]]) -> None:
    """Black on white lines, to stand out from hatches."""
    known = [(place, *cell.interval) for place, cell in shown if cell.interval]
    if not known:
        return
    places, lows, highs = zip(*known, strict=True)
    axes.hlines(places, lows, highs, color="white", linewidth=3.2, zorder=3)
    axes.hlines(places, lows, highs, color="black", linewidth=1.1, zorder=4)


def _tint(colour: str) -> tuple[float, ...]:
    """Colour mixed with white, so that a hatch is visible on it."""
    from matplotlib.colors import to_rgb

    return tuple(0.45 * part + 0.55 for part in to_rgb(colour))


def _right_end(table: Table) -> float:
    """End of the axis: slightly beyond the longest bar or interval, at most 1."""
    cells = [cell for row in table.rows for cell in row.cells.values()]
    longest = max((number for cell in cells for number in (cell.value, *cell.interval)), default=1.0)
    return 1.0 if longest > 0.8 or longest <= 0 else 1.05 * longest
