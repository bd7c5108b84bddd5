"""One object of an annotation file, with errors that name the object and field."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from keepsight.errors import DataError
from keepsight.spans import Span

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Annotation:
    """Fields from JSON or CSV.

    Every reader raises DataError if the field is missing or of another kind.

    Attributes:
        fields: as read.
        where: name of the object in errors: `question 12 of ego4d_oe.json`, counted from 0.
    """

    fields: Mapping[str, object]
    where: str

    def has(self, name: str) -> bool:
        """Whether the field exists and is not null."""
        return self.fields.get(name) is not None

    def text(self, name: str) -> str:
        """A string, stripped; a number is converted."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(name, value, "a string")
        return str(value).strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._list(name)
        return tuple(Annotation({name: value}, self.where).text(name) for value in values)

    def number(self, name: str) -> float:
        """A finite number, possibly as a string."""
        value = self._value(name)
        number = _as_number(value)
        if not math.isfinite(number):
            raise self._wrong(name, value, "a number")
        return number

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        return tuple(Annotation({name: value}, self.where).number(name) for value in self._list(name))

    def whole(self, name: str) -> int:
        """An integer, possibly as a string."""
        number = self.number(name)
        if not number.is_integer():
            raise self._wrong(name, self._value(name), "a whole number")
        return int(number)

    def clock_seconds(self, name: str) -> float:
        """Seconds of a text such as `0:07:40`, `07:40` or `40.5`."""
        written = self.text(name)
        seconds = read_clock(written)
        if seconds is None:
            raise self._wrong(name, written, "a time such as 0:07:40")
        return seconds

    def inner(self, name: str) -> "Annotation":
        """A nested object."""
        return annotation(self._value(name), f"{name!r} in {self.where}")

    def objects(self, name: str, called: str) -> list["Annotation"]:
        """A list of objects; `called` names one of them in errors."""
        values = self._list(name)
        return [annotation(value, f"{called} {index} of {self.where}") for index, value in enumerate(values)]

    def span(self, start: str, end: str) -> tuple[Span, ...]:
        """Span between two fields as evidence; empty unless 0 <= start <= end."""
        return valid_spans([(self.number(start), self.number(end))])

    def spans(self, name: str) -> tuple[Span, ...]:
        """List of start-end pairs as evidence, without invalid ones."""
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
            raise DataError(f"{self.where} has no field {name!r}")
        return value

    def _list(self, name: str) -> Sequence[object]:
        value = self._value(name)
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        return value

    def _wrong(self, name: str, value: object, wanted: str) -> DataError:
        return DataError(f"{name!r} of {self.where} must be {wanted}, got {str(value)[:80]!r}")


def annotation(value: object, where: str) -> Annotation:
    """Annotation of a JSON value.

    Raises:
        DataError: the value is no object.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where} must be an object with named fields, got {str(value)[:80]!r}")
    return Annotation(value, where)


def read_clock(written: str) -> float | None:
    """Seconds of a text such as `0:07:40`, `07:40` or `40.5`; None for other texts."""
    parts = _CLOCK.fullmatch(written.strip())
    if parts is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds


def _as_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def valid_spans(pairs: Iterable[tuple[float, float]]) -> tuple[Span, ...]:
    """Spans of valid pairs; published sets contain invalid ones."""
    return tuple(Span(start, end) for start, end in pairs if 0 <= start <= end)
