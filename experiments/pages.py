"""Tables in Markdown pages, between marks, made from stored tables only.

A mark names a run and an experiment, then columns, one on each line; the lines up to the end mark are replaced:

    <!-- table overview/overview
    answers.all = all questions
    answers.difference
    -->
    <!-- end -->

A column is `TABLE.COLUMN`, optionally with the header to show. TABLE is a key of `TITLES`; COLUMN is one of that table,
or `difference`, `p`, `corrected p` or `n`. `RUN/EXPERIMENT/TABLE.COLUMN` takes it from another run. The rows are those
of the first table, in its order; `-` stands where another has none. Lines such as `- captions:memory_clips=4 = FIFO`
choose rows, and rename them.

`<!-- text RUN -->` puts in the page that a run wrote.
`<!-- command RUN -->` and `<!-- made RUN -->` put in the command, and the model, date and versions.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from experiments.stored import StoredRun
from keepsight.bench.output.markdown import escaped
from keepsight.bench.output.wording import MISSING, NOISE_MARK, percent
from keepsight.errors import DataError

TITLES = {
    "answers": "",
    "kinds": "by kind of question",
    "captions": "statements in captions, exact match",
    "past": "memory-only clauses",
    "failures": "failure modes",
}
"""Name of a table in a mark -> what stands after the colon of its title."""

_BLOCK = re.compile(r"(<!-- (table|command|made|text) (.*?)-->\n)(.*?)(<!-- end -->)", re.DOTALL)
_SPECIAL_COLUMNS = ("difference", "p", "corrected p", "n")
_LEAST_SHOWN_P = 0.001

Tables = Mapping[str, Mapping[str, Any]]


def filled(text: str, load: Callable[[str], StoredRun] = StoredRun.load) -> str:
    """A page with all marked places filled from stored tables.

    Raises:
        DataError: a mark names something that is not stored.
    """
    writers = {"table": _table, "command": _command, "made": _made, "text": _text}

    def block(match: re.Match[str]) -> str:
        head, kind, what, _, end = match.groups()
        return f"{head}{writers[kind](what.strip(), load)}{end}"

    return _BLOCK.sub(block, text)


def fill_page(path: Path) -> bool:
    """Fill a page in place; returns whether it changed."""
    before = path.read_text(encoding="utf-8")
    after = filled(before)
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def _command(name: str, load: Callable[[str], StoredRun]) -> str:
    return f"```sh\n{_wrapped(load(name).command)}\n```\n"


def _wrapped(command: str, width: int = 110) -> str:
    """A command broken before options, with backslashes."""
    lines, line = [], ""
    for part in re.split(r" (?=--)", command):
        if line and len(line) + len(part) + 3 > width:
            lines.append(f"{line} \\")
            line = f"    {part}"
        else:
            line = f"{line} {part}" if line else part
    return "\n".join([*lines, line])


def _made(name: str, load: Callable[[str], StoredRun]) -> str:
    run = load(name)
    made = run.environment
    versions = ", ".join(f"{package} {made['versions'][package]}" for package in ("torch", "transformers"))
    return (
        f"{run.num_predictions:,} answers; {made['model']} ({made['model_fingerprint']}), {made['dtype']}, "
        f"{made['date'][:10]}, {versions}.\n"
    )


def _text(name: str, load: Callable[[str], StoredRun]) -> str:
    return f"{load(name).text.strip()}\n"


@dataclass(frozen=True)
class _Column:
    """A column of a page's table: where it comes from, and its header."""

    run: str
    experiment: str
    table: str
    column: str
    header: str

    @classmethod
    def of(cls, text: str, run: str, experiment: str) -> Self:
        """Read `[RUN/EXPERIMENT/]TABLE.COLUMN [= HEADER]`."""
        source, _, header = text.partition(" = ")
        path, _, column = source.partition(".")
        if path.count("/") == 2:
            run, experiment, path = path.split("/")
        return cls(run, experiment, path, column, header or column)


def _table(what: str, load: Callable[[str], StoredRun]) -> str:
    place, *lines = what.splitlines()
    run, _, experiment = place.partition("/")
    columns = [_Column.of(line, run, experiment) for line in lines if not line.startswith("- ")]
    tables = [_named(_tables_of(load(each.run), each.run, each.experiment), each.table, what) for each in columns]
    first = tables[0]
    made = [f"| | {' | '.join(each.header for each in columns)} |", "|:---" + "|---:" * len(columns) + "|"]
    for method, label in _rows(first, [line[2:] for line in lines if line.startswith("- ")], what):
        cells = [_cell(table, method, each.column) for table, each in zip(tables, columns, strict=True)]
        shown = escaped(label)
        made.append(f"| {f'**{shown}**' if method == first['reference'] else shown} | {' | '.join(cells)} |")
    return "\n".join(made) + "\n"


def _rows(table: Mapping[str, Any], listed: Sequence[str], what: str) -> list[tuple[str, str]]:
    """Methods of a table and what to call them; all of them if none are listed."""
    methods = [row["method"] for row in table["rows"]]
    if not listed:
        return [(method, method) for method in methods]
    rows = []
    for text in listed:
        method, _, label = text.partition(" = ")
        if method not in methods:
            raise DataError(f"row must be one of {', '.join(methods)} in mark {what!r}, got {method!r}")
        rows.append((method, label or method))
    return rows


def _tables_of(stored: StoredRun, run: str, experiment: str) -> Tables:
    if experiment not in stored.tables:
        raise DataError(f"experiment must be one of {', '.join(stored.tables)} in run {run}, got {experiment!r}")
    by_title = {table["title"]: table for table in stored.tables[experiment]}
    shortest = min(by_title, key=len)
    return {
        name: by_title[f"{shortest}: {title}" if title else shortest]
        for name, title in TITLES.items()
        if (f"{shortest}: {title}" if title else shortest) in by_title
    }


def _named(tables: Tables, name: str, what: str) -> Mapping[str, Any]:
    if name not in tables:
        raise DataError(f"table must be one of {', '.join(tables)} in mark {what!r}, got {name!r}")
    return tables[name]


def _cell(table: Mapping[str, Any], method: str, column: str) -> str:
    if column not in (*table["columns"], *_SPECIAL_COLUMNS):
        raise DataError(
            f"column of table {table['title']!r} must be one of {', '.join((*table['columns'], *_SPECIAL_COLUMNS))}, "
            f"got {column!r}"
        )
    row = next((row for row in table["rows"] if row["method"] == method), None)
    if row is None:
        return MISSING
    if column == "n":
        return str(row["num_questions"])
    if column in ("p", "corrected p"):
        return _p(row["p_value" if column == "p" else "p_corrected"])
    share = row["difference"] if column == "difference" else row["cells"].get(column)
    if share is None:
        return "" if column == "difference" else MISSING
    signed = column == "difference"
    ends = [percent(share[end], signed=signed) for end in ("low", "high") if share[end] is not None]
    interval = f" [{', '.join(ends)}]" if ends else ""
    mark = f" {NOISE_MARK}" if signed and row["inside_noise"] else ""
    return f"{percent(share['value'], signed=signed)}{interval}{mark}"


def _p(p_value: float | None) -> str:
    if p_value is None:
        return ""
    return "<.001" if p_value < _LEAST_SHOWN_P else f"{p_value:.3f}".removeprefix("0")
