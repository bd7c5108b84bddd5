"""Compound kinds of values: lists and optional values."""

import json
from dataclasses import dataclass
from typing import Any

from keepsight.schema.kinds import Kind


@dataclass(frozen=True)
class Many(Kind):
    """A list; as text, JSON or a single value.

    Attributes:
        each: kind of its values.
    """

    each: Kind
    is_list = True

    @property
    def metavar(self) -> str:  # type: ignore[override]  # a class attribute where it is the same for all
        return self.each.metavar

    @property
    def is_shown(self) -> bool:  # type: ignore[override]
        return self.each.is_shown

    @property
    def wanted(self) -> str:
        return f"a list, each of it {self.each.wanted}"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, tuple) and all(self.each.accepts(one) for one in value)

    def converted(self, value: object) -> object:
        return tuple(self.each.converted(one) for one in value) if isinstance(value, list | tuple) else value

    def parsed(self, text: str) -> object:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = text
        return values if isinstance(values, list) else [text]

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.each.json_schema()}


@dataclass(frozen=True)
class Maybe(Kind):
    """An optional value.

    Attributes:
        kind: kind of the value.
        nothing: meaning of None, for the help text.
        word: text for None; None if every text is a value.
    """

    kind: Kind
    nothing: str = ""
    word: str | None = "none"

    @property
    def metavar(self) -> str:  # type: ignore[override]  # a class attribute where it is the same for all
        return self.kind.metavar

    @property
    def names(self) -> tuple[str, ...]:
        return self.kind.names

    @property
    def is_shown(self) -> bool:  # type: ignore[override]
        return self.kind.is_shown

    @property
    def wanted(self) -> str:
        return self.kind.wanted if self.word is None else f"{self.kind.wanted}, or {self.word}"

    def accepts(self, value: Any) -> bool:
        return value is None or self.kind.accepts(value)

    def converted(self, value: object) -> object:
        return None if value is None else self.kind.converted(value)

    def parsed(self, text: str) -> object:
        return None if text == self.word else self.kind.parsed(text)

    def loosened(self, value: object) -> object:
        return None if value is None else self.kind.loosened(value)

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [self.kind.json_schema(), {"type": "null"}]}
