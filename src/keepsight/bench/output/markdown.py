r"""Tables in GitHub Flavored Markdown (https://github.github.com/gfm/#tables-extension-).

Names come from data sets and command lines, so Markdown characters are escaped. In a table that includes `|`, which
would end the cell even inside code.
"""

import re

from keepsight.bench.output.tables import Table
from keepsight.bench.output.wording import columns_of, legend, one_line

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
_BLOCK_START = re.compile(r"^(\d*)([-+=.)])")


def as_markdown(table: Table) -> str:
    """Heading, pipe table, caption and legend; ends with a newline."""
    columns = columns_of(table)
    lines = [_line("method", *(escaped(column.header) for column in columns)), "|:---" + "|---:" * len(columns) + "|"]
    for index, row in enumerate(table.rows):
        lines.append(_line(escaped(row.method), *(str(column.entries[index]) for column in columns)))
    below = [_paragraph(text) for text in (table.caption, " ".join(legend(table))) if one_line(text)]
    return "\n\n".join([f"### {escaped(table.title)}", "\n".join(lines), *below]) + "\n"


def escaped(text: str) -> str:
    """Text on one line that Markdown renders literally, in a paragraph, heading or table cell."""
    return _SPECIAL.sub(r"\\\1", one_line(text))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _paragraph(text: str) -> str:
    """Text that cannot become a list, rule or heading by its start."""
    return _BLOCK_START.sub(r"\1\\\2", escaped(text))
