"""Parts given as objects, and their records in a journal's settings."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

from keepsight.errors import SettingError
from keepsight.plugins.packages import class_name, package_of


class Part(Protocol):
    """A selector, retriever or memory policy as an object: an instance of a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


@dataclass(frozen=True)
class Recorded:
    """Record of a part in settings; its package need not be installed.

    Attributes:
        name: the plug-in's name, or `module:Class` of an object.
        fields: the object's fields as a JSON object with sorted keys; None for a name.
        package: its distribution and version; empty if unknown. Not compared, so a stream resumes after a plug-in
            update.
    """

    name: str
    fields: str | None = None
    package: str = field(default="", compare=False)

    @classmethod
    def of(cls, part: Part) -> Self:
        """Record of an object.

        Raises:
            SettingError: a field is not a JSON value.
        """
        values = {one.name: getattr(part, one.name) for one in dataclasses.fields(part) if one.init}
        try:
            text = json.dumps(values, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SettingError(f"fields of {type(part).__name__} must be JSON values, got {part!r}: {error}") from error
        return cls(class_name(type(part)), text, package_of(type(part)))

    @classmethod
    def from_data(cls, data: object) -> object:
        """Inverse of `to_data`; anything else is returned unchanged."""
        if not isinstance(data, dict) or not {"name"} <= set(data) <= {"name", "fields", "package"}:
            return data
        name, values, package = data["name"], data.get("fields"), data.get("package", "")
        if not isinstance(name, str) or not isinstance(values, dict | None) or not isinstance(package, str):
            return data
        return cls(name, None if values is None else json.dumps(values, sort_keys=True), package)

    def to_data(self) -> dict[str, Any]:
        """JSON data of the record."""
        values = {} if self.fields is None else {"fields": json.loads(self.fields)}
        return {"name": self.name, **values, "package": self.package}

    def values(self) -> dict[str, Any]:
        """The object's fields, with lists as tuples, so that a frozen dataclass of them is hashable."""
        found: dict[str, Any] = _tuples(json.loads(self.fields or "{}"))
        return found

    def __repr__(self) -> str:
        values = "" if self.fields is None else f" {self.fields}"
        return f"{self.name!r}{values}" + (f" ({self.package})" if self.package else "")


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(part) for key, part in value.items()}
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
