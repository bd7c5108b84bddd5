"""Tables and plots of a benchmark's results."""

from keepsight.bench.output.bars import bar_plot
from keepsight.bench.output.console import ConsoleTable
from keepsight.bench.output.curves import Curve, line_plot
from keepsight.bench.output.files import as_csv, as_json, save_tables
from keepsight.bench.output.markdown import as_markdown
from keepsight.bench.output.tables import Cell, Row, Table

__all__ = [
    "Cell",
    "ConsoleTable",
    "Curve",
    "Row",
    "Table",
    "as_csv",
    "as_json",
    "as_markdown",
    "bar_plot",
    "line_plot",
    "save_tables",
]
