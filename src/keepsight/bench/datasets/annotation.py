"""One object of an annotation file, whose fields are asked for with errors that say where they are missing."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from keepsight.errors import DataError
from keepsight.spans import Span

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Annotation:
    """Named fields from JSON or CSV.

    Every reader raises DataError when the field is not there or is of another kind than asked for.

    Attributes:
        fields: as they were read.
        where: what the object is, for errors: `question 12 of ego4d_oe.json`, counted from 0.
    """

    fields: Mapping[str, object]
    where: str

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.fields.get(name) is not None

    def text(self, name: str) -> str:
        """A text; a number is given as it is written. Blanks around it are cut off."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(name, value, "a text")
        return str(value).strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._list(name)
        return tuple(Annotation({name: value}, self.where).text(name) for value in values)

    def number(self, name: str) -> float:
        """A finite number, also one written as a text."""
        value = self._value(name)
        number = _as_number(value)
        if not math.isfinite(number):
            raise self._wrong(name, value, "a number")
        return number

    def whole(self, name: str) -> int:
        """A whole number, also one written as a text."""
        number = self.number(name)
        if not number.is_integer():
            raise self._wrong(name, self._value(name), "a whole number")
        return int(number)

    def clock_seconds(self, name: str) -> float:
        """Seconds from a text such as `0:07:40`, `07:40` or `40.5`."""
        written = self.text(name)
        parts = _CLOCK.fullmatch(written)
        if parts is None:
            raise self._wrong(name, written, "a time such as 0:07:40")
        hours, minutes, seconds = (float(part or 0) for part in parts.groups())
        return hours * 3600 + minutes * 60 + seconds

    def inner(self, name: str) -> "Annotation":
        """An object inside this one."""
        return annotation(self._value(name), f"{name!r} in {self.where}")

    def objects(self, name: str, called: str) -> list["Annotation"]:
        """A list of objects; `called` is what errors call one of them."""
        values = self._list(name)
        return [annotation(value, f"{called} {index} of {self.where}") for index, value in enumerate(values)]

    def span(self, start: str, end: str) -> tuple[Span, ...]:
        """The span between two fields as evidence; empty where they do not run forward from 0."""
        return valid_spans([(self.number(start), self.number(end))])

    def spans(self, name: str) -> tuple[Span, ...]:
        """A list of pairs of start and end as evidence, without those that do not run forward from 0."""
        pairs = []
        for value in self._list(name):
            if not isinstance(value, list) or len(value) != 2:
                raise self._wrong(name, value, "pairs of start and end")
            start, end = (Annotation({name: moment}, self.where).number(name) for moment in value)
            pairs.append((start, end))
        return valid_spans(pairs)

    def _value(self, name: str) -> object:
        value = self.fields.get(name)
        if value is None:
            raise DataError(f"{self.where} lacks {name!r}")
        return value

    def _list(self, name: str) -> Sequence[object]:
        value = self._value(name)
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        return value

    def _wrong(self, name: str, value: object, wanted: str) -> DataError:
        return DataError(f"{name!r} of {self.where} is {wanted}, not {str(value)[:80]!r}")


def annotation(value: object, where: str) -> Annotation:
    """The annotation in a value that was read from JSON.

    Raises:
        DataError: the value is no object.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where} is an object with named fields, not {str(value)[:80]!r}")
    return Annotation(value, where)


def _as_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def valid_spans(pairs: Iterable[tuple[float, float]]) -> tuple[Span, ...]:
    """Spans of those pairs that run forward from 0 or later; published sets hold some that do not."""
    return tuple(Span(start, end) for start, end in pairs if 0 <= start <= end)
