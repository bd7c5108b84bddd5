"""A judge's verdict on an answer, and its parsing."""

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from keepsight.bench.scoring.base import MAX_RATING
from keepsight.errors import MalformedVerdictError
from keepsight.models.engines.http_rules import shorten

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


def read_lenient_verdict(reply: str) -> Verdict:
    """Parse a reply as ReKV's evaluation does: yes within `pred` is right, else no is wrong; `score` loses decimals.

    Raises:
        MalformedVerdictError: there is no such dictionary, or the score is outside its range.
    """
    entry = _dictionary(reply)
    said, rating = entry.get("pred", entry.get("prev")), _whole_part(entry.get("score"))
    word = said.lower() if isinstance(said, str) else ""
    if ("yes" not in word and "no" not in word) or rating is None or not 0 <= rating <= MAX_RATING:
        raise MalformedVerdictError(
            f"the judge must reply {{'pred': 'yes' or 'no', 'score': 0 to {MAX_RATING}}}, got {shorten(reply)!r}"
        )
    return Verdict("yes" in word, rating)


VERDICT_READERS: Final[Mapping[str, Callable[[str], Verdict]]] = MappingProxyType(
    {"strict": read_verdict, "lenient": read_lenient_verdict}
)
"""Rules for a judge's reply, by name."""


def _whole_part(score: object) -> int | None:
    """Score without decimals, None if it is no number; text must be a whole number, as for Python's `int`."""
    if isinstance(score, bool) or not isinstance(score, int | float | str):
        return None
    try:
        return int(score)
    except (ValueError, OverflowError):
        return None


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
