"""Pieces of Markdown that the generated pages are made of."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; `|` in cells is escaped, and line breaks become blanks."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Text as code within a line."""
    return f"`{text}`" if text else ""


def page(title: str, origin: str, parts: Iterable[str]) -> str:
    """A whole page, which says how it is made.

    Args:
        title: its heading.
        origin: what it is made from, for editors.
        parts: paragraphs, headings and tables.
    """
    note = f"<!-- Made by `make reference` from {origin}. Edit that, not this file. -->"
    return "\n\n".join([f"# {title}", note, *(part.strip() for part in parts)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in cells) + " |"
