"""A group of parts: built-in names, plug-ins, and making one from a name, a record or an object."""

import dataclasses
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from keepsight.errors import SettingError
from keepsight.plugins.faults import blaming, reason_of
from keepsight.plugins.packages import PlugIn, class_name, offered, package_of
from keepsight.plugins.recorded import Part, Recorded


@dataclass(frozen=True)
class Group:
    """A group of parts that other packages can extend.

    Attributes:
        entry_points: entry point group, such as `keepsight.selectors`.
        noun: name of a part in messages.
        built_in: names of built-in parts.
        methods: required methods.
        is_dataclass: whether a part is a frozen dataclass whose fields are its settings; else a class or function.
    """

    entry_points: str
    noun: str
    built_in: tuple[str, ...]
    methods: tuple[str, ...] = ()
    is_dataclass: bool = True

    def plug_ins(self) -> tuple[PlugIn, ...]:
        """Registered plug-ins, by name.

        Raises:
            SettingError: two packages register the same name, or one uses a built-in name.
        """
        found = (self.find(name) for name in sorted({one.name for one in offered(self.entry_points)}))
        return tuple(one for one in found if one is not None)

    def names(self) -> tuple[str, ...]:
        """Built-in names, then plug-in names.

        Raises:
            SettingError: as for `plug_ins`.
        """
        return (*self.built_in, *(one.name for one in self.plug_ins()))

    def find(self, name: str, package: str = "") -> PlugIn | None:
        """Plug-in by name; None if the name is built in.

        Args:
            name: name to look up.
            package: package that had registered it when recorded, for the message.

        Raises:
            SettingError: no part or several have the name.
        """
        offers = [one for one in offered(self.entry_points) if one.name == name]
        if offers and name in self.built_in:
            taken = f"{offers[0].package} registers another one; uninstall that package"
            raise SettingError(f"{name!r} is built in, but {taken}", self.noun)
        if len(offers) > 1:
            packages = " and ".join(sorted(one.package for one in offers))
            raise SettingError(f"{name!r} is registered by {packages}; uninstall one of them", self.noun)
        if not offers and name not in self.built_in:
            hint = f"; install {package}, which registered it" if package else ""
            raise SettingError(f"must be one of {', '.join(self.names())}, got {name!r}{hint}", self.noun)
        return offers[0] if offers else None

    def load(self, plug_in: PlugIn) -> Any:
        """Import a plug-in's class or function.

        Raises:
            SettingError: it cannot be imported or is not a valid part; the message names the package.
        """
        where = f"{self.noun} {plug_in.name!r} of {plug_in.package}"
        try:
            part = plug_in.entry_point.load()
        except Exception as error:  # importing another package may raise anything
            raise SettingError(f"could not load {where}: {reason_of(error)}") from error
        if self.is_dataclass and not (isinstance(part, type) and dataclasses.is_dataclass(part)):
            raise SettingError(f"{where} must be a frozen dataclass, got {part!r}")
        if not self._has_methods(part):
            raise SettingError(
                f"{where} must be callable{''.join(f', with {one}' for one in self.methods)}, got {part!r}"
            )
        return part

    def check(self, part: object) -> None:
        """Check that `part` is a part's name, record or object.

        Raises:
            SettingError: it is not.
        """
        if isinstance(part, str):
            if part not in self.built_in:
                self.find(part)
        elif not isinstance(part, Recorded):
            is_instance = dataclasses.is_dataclass(part) and not isinstance(part, type)
            if not is_instance or type(part).__hash__ is None or not all(hasattr(part, one) for one in self.methods):
                wanted = f"one of {', '.join(self.names())}, or a frozen dataclass with {', '.join(self.methods)}"
                raise SettingError(f"must be {wanted}, got {part!r}", self.noun)
            Recorded.of(part)  # type: ignore[arg-type]

    def make(self, part: str | Part, table: Mapping[str, type], settings: Mapping[str, Any]) -> Any:
        """Make a part from its name or record; an object is returned unchanged.

        Args:
            part: name, record or object.
            table: the built-in classes by name.
            settings: field values of a named part; fields that it does not have are ignored.

        Raises:
            SettingError: no such part, or it lacks a value.
            PlugInError: a plug-in refuses a value, or fails.
        """
        if not isinstance(part, str | Recorded):
            return part
        if isinstance(part, Recorded) and part.fields is not None:
            return self._build(self._class_of(part, table), part.values(), part)
        name, package = (part, "") if isinstance(part, str) else (part.name, part.package)
        plug_in = self.find(name, package)
        factory = table[name] if plug_in is None else self.load(plug_in)
        known = {one.name for one in dataclasses.fields(factory)}
        return self._build(factory, {key: value for key, value in settings.items() if key in known}, part)

    def record(self, part: str | Part) -> str | Recorded:
        """Stored form of a part: a built-in name, else a record."""
        if isinstance(part, Recorded):
            return part
        if not isinstance(part, str):
            return Recorded.of(part)
        if part in self.built_in:
            return part
        return Recorded(part, package=next((one.package for one in offered(self.entry_points) if one.name == part), ""))

    def name_of(self, part: str | Part) -> str:
        """Name of a part, or the class name of an object."""
        record = self.record(part)
        return record if isinstance(record, str) else record.name

    def calling(
        self, part: object, member: str, expected: tuple[type[Exception], ...] = ()
    ) -> AbstractContextManager[None]:
        """Context for calling a part: a fault of a plug-in becomes an error that names it (see `blaming`).

        Args:
            part: the part, its class, or a function, which may be built in.
            member: method that is called.
            expected: exceptions that the caller handles.
        """
        kind: Any = part if isinstance(part, type | FunctionType) else type(part)
        return blaming(kind, self._with_package, member, expected)

    def _with_package(self, kind: type) -> str:
        """A part's class as in messages: its registered name and package, as far as known."""
        for one in offered(self.entry_points):
            if f"{one.entry_point.module}:{one.entry_point.attr}" == class_name(kind):
                return f"{self.noun} {one.name!r} of {one.package}"
        package = package_of(kind)
        return f"{self.noun} {class_name(kind)}" + (f" of {package}" if package else "")

    def _has_methods(self, part: object) -> bool:
        return callable(part) and all(callable(getattr(part, one, None)) for one in self.methods)

    def _build(self, factory: Any, values: Mapping[str, Any], part: object) -> Any:
        try:
            with blaming(factory, self._with_package, "its creation"):
                return factory(**values)
        except TypeError as error:
            raise SettingError(f"could not make {self.noun} {part!r}: {error}") from error

    def _class_of(self, record: Recorded, table: Mapping[str, type]) -> Any:
        """Class of a recorded object. Imports only registered parts, never what a journal names."""
        distribution = record.package.partition(" ")[0]
        for found in table.values():
            if class_name(found) == record.name:
                return found
        for one in offered(self.entry_points):
            if one.distribution == distribution or one.entry_point.value == record.name:
                found = self.load(one)
                if class_name(found) == record.name:
                    return found
        hint = f"install {record.package}, or give" if record.package else "give"
        raise SettingError(f"no installed plug-in has {self.noun} {record}; {hint} an equal object in Settings")
