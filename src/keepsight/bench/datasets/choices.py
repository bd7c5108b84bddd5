"""Multiple choice as the data sets write it: letters for the right answer, and letters before the choices."""

import re

from keepsight.bench.datasets.annotation import Annotation
from keepsight.errors import DataError

_LETTER = re.compile(r"([A-Za-z])(?![A-Za-z])")


def letter_index(source: Annotation, field: str, num_choices: int) -> int:
    """Place of the choice that a field names by its letter: 0 for `A`, also for `A.` and `A. a red car`.

    Raises:
        DataError: the field is missing or names none of the choices.
    """
    written = source.text(field)
    match = _LETTER.match(written)
    index = ord(match[1].upper()) - ord("A") if match else num_choices
    if index >= num_choices:
        raise DataError(f"{field!r} of {source.where} is the letter of one of {num_choices} choices, not {written!r}")
    return index


def index_within(source: Annotation, field: str, num_choices: int) -> int:
    """Place of the choice that a field names by its number, counted from 0.

    Raises:
        DataError: the field is missing or names none of the choices.
    """
    index = source.whole(field)
    if index not in range(num_choices):
        raise DataError(f"{field!r} of {source.where} is the number of one of {num_choices} choices, not {index}")
    return index


def without_letters(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Choices without `A. `, `B. ` ... before them; as they are unless every one carries the letter of its place."""
    marks = [re.compile(rf"{chr(ord('A') + index)}\s*[.):]\s*(?=\S)") for index in range(len(choices))]
    if not all(mark.match(choice) for mark, choice in zip(marks, choices, strict=True)):
        return choices
    return tuple(mark.sub("", choice, count=1) for mark, choice in zip(marks, choices, strict=True))
