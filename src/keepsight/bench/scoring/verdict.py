"""A judge's verdict on an answer, and its parsing."""

import ast
import json
from dataclasses import dataclass
from typing import Any

from keepsight.bench.scoring.base import MAX_RATING
from keepsight.errors import MalformedVerdictError

_MAX_LENGTH = 1000
"""Length limit of a verdict in characters."""


@dataclass(frozen=True)
class Verdict:
    """A judge's verdict on an answer.

    Attributes:
        right: whether the answer is correct.
        rating: from 0 to `MAX_RATING`.
    """

    right: bool
    rating: int


def read_verdict(reply: str) -> Verdict:
    """Parse a reply such as `{'pred': 'yes', 'score': 4}`, as a Python dictionary or JSON.

    Only the first pair of braces is read; `pred` must be yes or no, `score` an integer in range. Nothing is guessed,
    since a guess would be our own judgement.

    Raises:
        MalformedVerdictError: there is no such dictionary.
    """
    entry = _dictionary(reply)
    said, rating = entry.get("pred"), entry.get("score")
    word = said.strip().lower() if isinstance(said, str) else ""
    if word not in {"yes", "no"} or type(rating) is not int or not 0 <= rating <= MAX_RATING:
        raise MalformedVerdictError(
            f"the judge must reply {{'pred': 'yes' or 'no', 'score': 0 to {MAX_RATING}}}, got {shorten(reply)!r}"
        )
    return Verdict(word == "yes", rating)


def shorten(text: str, length: int = 200) -> str:
    """Start of a text on one line, for error messages."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def _dictionary(reply: str) -> dict[str, Any]:
    start = reply.find("{")
    end = reply.find("}", start)
    literal = reply[start : end + 1]
    # A verdict has no backslash, and Python warns about unknown escapes.
    if start >= 0 and 0 < len(literal) <= _MAX_LENGTH and "\\" not in literal:
        for parse in (json.loads, ast.literal_eval):
            try:
                entry = parse(literal)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue  # raised for anything that is not a literal, including deep nesting and unhashable keys
            if isinstance(entry, dict):
                return entry
    return {}
