"""Tables as files: Markdown for people, CSV and JSON with full precision for programs."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keepsight.bench.output.markdown import as_markdown
from keepsight.bench.output.tables import Cell, Row, Table
from keepsight.errors import SettingError
from keepsight.whole_file import write_whole

CSV_FIELDS = (
    "table",
    "method",
    "column",
    "num_questions",
    "value",
    "low",
    "high",
    "reference",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "p_corrected",
    "inside_noise",
)
"""CSV header. One line per method and column; shares are from 0 to 1."""


def as_csv(tables: Sequence[Table]) -> str:
    """All tables below one header (RFC 4180). The comparison is on the first column's line."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_FIELDS, lineterminator="\r\n")
    writer.writeheader()
    for table in tables:
        writer.writerows(line for row in table.rows for line in _csv_lines(table, row))
    return text.getvalue()


def as_json(tables: Sequence[Table]) -> str:
    """A list of tables with the fields of `Table`, `Row` and `Cell`; ends with a newline."""
    return json.dumps([asdict(table) for table in tables], indent=1, allow_nan=False) + "\n"


def save_tables(path: Path, tables: Sequence[Table]) -> None:
    """Write tables to a file atomically; the suffix selects the format.

    Args:
        path: ends in `.md`, `.csv` or `.json`.
        tables: in order.

    Raises:
        SettingError: the suffix is another.
        OSError: writing failed.
    """
    match path.suffix.lower():
        case ".md":
            text = "\n".join(as_markdown(table) for table in tables)
        case ".csv":
            text = as_csv(tables)
        case ".json":
            text = as_json(tables)
        case _:
            raise SettingError(f"table file must end in .md, .csv or .json, got {path.name}")
    write_whole(path, text.encode())


def _csv_lines(table: Table, row: Row) -> Iterator[dict[str, Any]]:
    for column in table.columns:
        if column not in row.cells:
            continue
        line = {"table": table.title, "method": row.method, "column": column, "num_questions": row.num_questions}
        comparison = _comparison(table, row, row.difference) if row.difference and column == table.columns[0] else {}
        yield {**line, **asdict(row.cells[column]), **comparison}


def _comparison(table: Table, row: Row, difference: Cell) -> dict[str, Any]:
    return {
        "reference": table.reference,
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "p_value": row.p_value,
        "p_corrected": row.p_corrected,
        "inside_noise": row.inside_noise,
    }
