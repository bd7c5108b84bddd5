"""A judge's verdict on one answer, and how it is read from the judge's reply."""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keepsight.bench.scoring.base import MAX_RATING
from keepsight.errors import DataError, MalformedVerdictError

_MAX_LENGTH = 1000
"""Characters of a verdict; what is longer was not asked for."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one answer.

    Attributes:
        right: whether the answer means the same as the right one.
        rating: from 0 to `MAX_RATING`.
    """

    right: bool
    rating: int


@dataclass(frozen=True)
class Judged:
    """A judge's verdicts on many answers, in the two numbers that open-ended benchmarks report.

    Attributes:
        accuracy: yes / (yes + no).
        mean_rating: from 0 to `MAX_RATING`.
        num_questions: at least one.
    """

    accuracy: float
    mean_rating: float
    num_questions: int


def summarise(verdicts: Sequence[Verdict]) -> Judged:
    """Both means.

    Raises:
        DataError: there is no verdict.
    """
    if not verdicts:
        raise DataError("there are no verdicts to average; at least one answer must be judged")
    num_right = sum(verdict.right for verdict in verdicts)
    total = sum(verdict.rating for verdict in verdicts)
    return Judged(num_right / len(verdicts), total / len(verdicts), len(verdicts))


def read_verdict(reply: str) -> Verdict:
    """The verdict in a reply such as `{'pred': 'yes', 'score': 4}`, as a Python dictionary or as JSON.

    Only the first pair of curly brackets is read; `pred` must be yes or no, `score` a whole number in range. Nothing is
    guessed, as a guess would be a judgement of our own.

    Raises:
        MalformedVerdictError: there is no such dictionary.
    """
    entry = _dictionary(reply)
    said, rating = entry.get("pred"), entry.get("score")
    word = said.strip().lower() if isinstance(said, str) else ""
    if word not in {"yes", "no"} or type(rating) is not int or not 0 <= rating <= MAX_RATING:
        raise MalformedVerdictError(
            f"the judge replied {shorten(reply)!r}; allowed is {{'pred': 'yes' or 'no', 'score': 0 to {MAX_RATING}}}"
        )
    return Verdict(word == "yes", rating)


def shorten(text: str, length: int = 200) -> str:
    """The beginning of a text on one line, for an error message."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def _dictionary(reply: str) -> dict[str, Any]:
    start = reply.find("{")
    end = reply.find("}", start)
    literal = reply[start : end + 1]
    # A backslash is no part of a verdict, and Python warns about those that it does not know.
    if start >= 0 and 0 < len(literal) <= _MAX_LENGTH and "\\" not in literal:
        for parse in (json.loads, ast.literal_eval):
            try:
                entry = parse(literal)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue  # the parser's word for "not in this notation", depth and unhashable keys included
            if isinstance(entry, dict):
                return entry
    return {}
