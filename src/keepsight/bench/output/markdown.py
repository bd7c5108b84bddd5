r"""Tables in GitHub Flavored Markdown (https://github.github.com/gfm/#tables-extension-).

Names come from data sets and command lines, so whatever means something in Markdown gets a backslash before it. In a
table that holds for `|` too, which would end the cell even inside code.
"""

import re

from keepsight.bench.output.tables import Table
from keepsight.bench.output.wording import columns_of, legend, one_line

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
_BLOCK_START = re.compile(r"^(\d*)([-+=.)])")


def as_markdown(table: Table) -> str:
    """A heading, a pipe table, the caption and the legend; ends with a line break."""
    columns = columns_of(table)
    lines = [_line("method", *(escaped(column.header) for column in columns)), "|:---" + "|---:" * len(columns) + "|"]
    for index, row in enumerate(table.rows):
        lines.append(_line(escaped(row.method), *(str(column.entries[index]) for column in columns)))
    below = [_paragraph(text) for text in (table.caption, " ".join(legend(table))) if one_line(text)]
    return "\n\n".join([f"### {escaped(table.title)}", "\n".join(lines), *below]) + "\n"


def escaped(text: str) -> str:
    """A text on one line that Markdown shows as it stands, in a paragraph, a heading or a cell of a table."""
    return _SPECIAL.sub(r"\\\1", one_line(text))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _paragraph(text: str) -> str:
    """A text that does not turn into a list, a rule or a heading by how it begins."""
    return _BLOCK_START.sub(r"\1\\\2", escaped(text))
