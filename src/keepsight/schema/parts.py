"""Kinds of values specific to the method: parts that plug-ins can add to, and decoder layers."""

from dataclasses import dataclass
from typing import Any

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.plugins import Group
from keepsight.schema.kinds import Kind


def near_part(value: object, group: Group) -> str:
    """What `did_you_mean` says of a part that its group refused.

    Args:
        value: the refused name or object.
        group: its group; a name of it was refused for another reason.
    """
    try:
        names = group.names()
    except SettingError:
        return ""
    return "" if value in names else did_you_mean(value, names)


@dataclass(frozen=True)
class PartName(Kind):
    """A part: a name, or in programs an object.

    Attributes:
        group: group of parts.
    """

    group: Group
    metavar = "NAME"

    @property
    def names(self) -> tuple[str, ...]:
        """Built-in names."""
        return self.group.built_in

    @property
    def wanted(self) -> str:
        """All names, including plug-ins'."""
        return f"one of {', '.join(self.group.names())}"

    def accepts(self, value: Any) -> bool:
        """Whether the part exists; `check` gives a more specific error."""
        try:
            self.group.check(value)
        except SettingError:
            return False
        return True

    def check(self, value: object, name: str) -> Any:
        """Check a name or object.

        Raises:
            SettingError: the name is unknown, or the object is not a part.
        """
        try:
            self.group.check(value)
        except SettingError as error:
            raise SettingError(f"{error.problem}{near_part(value, self.group)}", name) from error
        return value

    def read(self, value: object, name: str) -> Any:
        """Check a name.

        Raises:
            SettingError: the name is unknown.
        """
        if not isinstance(value, str):
            raise self.refusal(value, name)
        return self.check(value, name)

    def json_schema(self) -> dict[str, Any]:
        """Any string, since plug-ins add names."""
        return {"type": "string", "minLength": 1, "examples": list(self.group.built_in)}


class Layers(Kind):
    """Decoder layers: numbers from 1, `all`, or None for the model's default."""

    metavar = "LAYERS"
    wanted = 'whole numbers of at least 1, "all" or none'

    def accepts(self, value: Any) -> bool:
        """Whether a value can be layers."""
        if value is None or value == "all":
            return True
        return isinstance(value, tuple) and bool(value) and all(type(one) is int and one >= 1 for one in value)

    def converted(self, value: object) -> object:
        """Convert JSON lists to tuples."""
        return tuple(value) if isinstance(value, list) else value

    def parsed(self, text: str) -> object:
        """Parse `3,5`, `[3, 5]`, `all` or `none`."""
        if text in ("none", "all"):
            return None if text == "none" else text
        try:
            return tuple(int(part) for part in text.strip("[] ").split(","))
        except ValueError:
            return text

    def json_schema(self) -> dict[str, Any]:
        """A list, a word or null."""
        numbers = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
        return {"anyOf": [numbers, {"type": "string", "enum": ["all"]}, {"type": "null"}]}
