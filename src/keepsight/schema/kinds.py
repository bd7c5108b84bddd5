"""Kinds of setting values: allowed values and their text form."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean, short

_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "f", "n", "0"), False),
}


def shown(value: object) -> str:
    """A value for an error message: one line, truncated; a list as flags, variables and files have it."""
    if isinstance(value, Path):
        value = str(value)
    text = f"[{', '.join(map(shown, value))}]" if isinstance(value, list | tuple) else repr(value)
    return short(text)


class Kind(ABC):
    """Allowed values of a setting."""

    metavar = "TEXT"
    """Placeholder for the value in the help text."""

    is_list = False
    """Whether a flag may be given several times."""

    is_shown = True
    """Whether errors show a rejected value: not if it may be a secret."""

    @property
    @abstractmethod
    def wanted(self) -> str:
        """Allowed values, completing "must be"."""

    @property
    def names(self) -> tuple[str, ...]:
        """Named values, if there are few."""
        return ()

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether a `converted` value is allowed."""

    def converted(self, value: object) -> object:
        """A value as stored in the dataclass, such as a tuple for a list; unchanged if not allowed."""
        return value

    def parsed(self, text: str) -> object:
        """Parse text into a value; text that cannot be parsed is returned, so it is rejected."""
        return text

    def loosened(self, value: object) -> object:
        """A value from a file or request, where 1 may mean true, and 5.0 may mean 5."""
        return value

    def refusal(self, value: object, name: str) -> SettingError:
        """Error for a rejected value."""
        given = f", got {shown(value)}{did_you_mean(value, self.names)}" if self.is_shown else ""
        return SettingError(f"must be {self.wanted}{given}", name)

    def check(self, value: object, name: str) -> Any:
        """Check and convert a value.

        Args:
            value: value from a program.
            name: name of the setting.

        Raises:
            SettingError: the value is not allowed.
        """
        converted = self.converted(value)
        if not self.accepts(converted):
            raise self.refusal(value, name)
        return converted

    def read(self, value: object, name: str) -> Any:
        """Parse, check and convert a value from outside: text, TOML or JSON.

        Raises:
            SettingError: the value is not allowed.
        """
        meant = self.parsed(value) if isinstance(value, str) else self.loosened(value)
        converted = self.converted(meant)
        if not self.accepts(converted):
            raise self.refusal(meant, name)
        return converted

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the allowed values."""


@dataclass(frozen=True)
class Whole(Kind):
    """Whole numbers.

    Attributes:
        least, most: inclusive limits; None for no limit.
    """

    least: int = 0
    most: int | None = None
    metavar = "NUMBER"

    @property
    def wanted(self) -> str:
        return (
            f"a whole number of at least {self.least}"
            if self.most is None
            else (f"a whole number from {self.least} to {self.most}")
        )

    def accepts(self, value: Any) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and self.least <= value and (self.most is None or value <= self.most)

    def parsed(self, text: str) -> object:
        try:
            return int(text)
        except ValueError:
            return text

    def loosened(self, value: object) -> object:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def json_schema(self) -> dict[str, Any]:
        limits = {"minimum": self.least} | ({} if self.most is None else {"maximum": self.most})
        return {"type": "integer", **limits}


@dataclass(frozen=True)
class Number(Kind):
    """Finite numbers.

    Attributes:
        least: lower limit, inclusive unless `is_above`.
        most: upper limit, inclusive; None for no limit.
        is_above: whether numbers must exceed `least`.
    """

    least: float = 0
    most: float | None = None
    is_above: bool = False
    metavar = "NUMBER"

    @property
    def wanted(self) -> str:
        if self.most is None:
            return f"a finite number {'over' if self.is_above else 'of at least'} {self.least}"
        return (
            f"a number over {self.least} and at most {self.most}"
            if self.is_above
            else (f"a number from {self.least} to {self.most}")
        )

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.least <= value < math.inf:
            return False
        return not (self.is_above and value == self.least) and (self.most is None or value <= self.most)

    def parsed(self, text: str) -> object:
        try:
            return float(text)
        except ValueError:
            return text

    def loosened(self, value: object) -> object:
        try:
            return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        except OverflowError:
            return value

    def json_schema(self) -> dict[str, Any]:
        limits = {"exclusiveMinimum" if self.is_above else "minimum": self.least}
        return {"type": "number", **limits, **({} if self.most is None else {"maximum": self.most})}


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    metavar = ""
    wanted = "true or false"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    def parsed(self, text: str) -> object:
        return _FLAGS.get(text.strip().lower(), text)

    def loosened(self, value: object) -> object:
        return bool(value) if isinstance(value, int) and value in (0, 1) else value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(Kind):
    """Any text.

    Attributes:
        metavar: placeholder in the help text.
        may_be_blank: whether it may be empty or blank.
    """

    metavar: str = "TEXT"
    may_be_blank: bool = False

    @property
    def wanted(self) -> str:
        return "text" if self.may_be_blank else "text that is not blank"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and (self.may_be_blank or bool(value.strip()))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"} if self.may_be_blank else {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few names.

    Attributes:
        options: the names.
        to_value: converts a name to the stored value, such as an enum member.
    """

    options: tuple[str, ...]
    to_value: Callable[[str], object] = str
    metavar = "NAME"

    @property
    def names(self) -> tuple[str, ...]:
        return self.options

    @property
    def wanted(self) -> str:
        return f"one of {', '.join(self.options)}"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.options

    def converted(self, value: object) -> object:
        return self.to_value(value) if isinstance(value, str) and value in self.options else value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}


@dataclass(frozen=True)
class PathKind(Kind):
    """A path, which need not exist.

    Attributes:
        metavar: placeholder in the help text.
    """

    metavar: str = "PATH"
    wanted = "a path"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Path)

    def converted(self, value: object) -> object:
        return Path(value) if isinstance(value, str) else value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}
