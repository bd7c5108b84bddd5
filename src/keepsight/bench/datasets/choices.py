"""Multiple choice in published data sets: letters of correct answers, and letters before choices."""

import re

from keepsight.bench.datasets.annotation import Annotation
from keepsight.errors import DataError

_LETTER = re.compile(r"([A-Za-z])(?![A-Za-z])")


def letter_index(source: Annotation, field: str, num_choices: int) -> int:
    """Index of the choice named by its letter: 0 for `A`, also for `A.` and `A. a red car`.

    Raises:
        DataError: the field is missing or names none of the choices.
    """
    written = source.text(field)
    match = _LETTER.match(written)
    index = ord(match[1].upper()) - ord("A") if match else num_choices
    if index >= num_choices:
        raise DataError(f"{field!r} of {source.where} must be one of the first {num_choices} letters, got {written!r}")
    return index


def index_within(source: Annotation, field: str, num_choices: int) -> int:
    """Index of the choice named by its number, from 0.

    Raises:
        DataError: the field is missing or names none of the choices.
    """
    index = source.whole(field)
    if index not in range(num_choices):
        raise DataError(f"{field!r} of {source.where} must be an index into {num_choices} choices, got {index}")
    return index


def without_letters(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Choices without leading `A. `, `B. ` ...; unchanged unless all have their letter."""
    marks = [re.compile(rf"{chr(ord('A') + index)}\s*[.):]\s*(?=\S)") for index in range(len(choices))]
    if not all(mark.match(choice) for mark, choice in zip(marks, choices, strict=True)):
        return choices
    return tuple(mark.sub("", choice, count=1) for mark, choice in zip(marks, choices, strict=True))
