"""Dataclass fields as settings: each declares its help text, allowed values and group."""

import dataclasses
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any, Literal, get_args

from keepsight.schema.compound import Maybe
from keepsight.schema.kinds import Kind

SettingGroup = Literal["basic", "live", "storage", "model", "method", "server"]

GROUPS: tuple[SettingGroup, ...] = get_args(SettingGroup)
"""Groups in the order of the help text."""

VARIABLE_PREFIX = "KEEPSIGHT_"
"""Start of the environment variables."""

_KEY = "keepsight"


@dataclass(frozen=True)
class _Described:
    """Metadata of a field besides its name and default: see `Spec`."""

    kind: Kind
    help: str
    group: SettingGroup
    unit: str
    flag: str
    is_secret: bool
    start: Any
    request_kind: Kind | None


@dataclass(frozen=True)
class Spec:
    """Specification of a setting.

    Attributes:
        name: name of the field, and in files and requests.
        kind: allowed values.
        help: help text: one sentence, verb first.
        group: group in the help text.
        default: default value.
        unit: unit of a number, such as `seconds`.
        flag: `--name` on the command line.
        is_secret: whether its value is never shown.
        request_kind: allowed values in a request, if stricter.
    """

    name: str
    kind: Kind
    help: str
    group: SettingGroup
    default: Any
    unit: str
    flag: str
    is_secret: bool
    request_kind: Kind

    @property
    def variable(self) -> str:
        """Environment variable."""
        return f"{VARIABLE_PREFIX}{self.name.upper()}"

    @property
    def metavar(self) -> str:
        """Placeholder for its value in the help text."""
        return self.unit.upper() or self.kind.metavar

    @property
    def default_text(self) -> str:
        """Default for the help text."""
        if self.default is None or self.default == ():
            return self.kind.nothing if isinstance(self.kind, Maybe) and self.kind.nothing else "none"
        if isinstance(self.default, tuple):
            return ", ".join(map(str, self.default))
        return str(self.default).lower() if isinstance(self.default, bool) else str(self.default)


def setting(
    default: Any,
    kind: Kind,
    help: str,
    group: SettingGroup,
    *,
    unit: str = "",
    flag: str = "",
    is_secret: bool = False,
    start: Any = MISSING,
    request_kind: Kind | None = None,
) -> Any:
    """Declare a dataclass field as a setting; see `Spec`.

    Args:
        default: default of the field; `MISSING` if programs must give it.
        kind, help, group, unit, is_secret, request_kind: see `Spec`.
        flag: flag without dashes, if not the field's name.
        start: default on the command line, if programs must give it.
    """
    described = _Described(kind, help, group, unit, flag, is_secret, start, request_kind)
    return dataclasses.field(default=default, repr=not is_secret, metadata={_KEY: described})


def same_as(owner: type, name: str) -> Any:
    """Declare a field as the same setting as another dataclass's, with its default."""
    (found,) = (one for one in dataclasses.fields(owner) if one.name == name)
    return dataclasses.field(default=found.default, repr=found.repr, metadata=found.metadata)


def specs_of(*owners: type) -> tuple[Spec, ...]:
    """Settings of dataclasses, each name once.

    Raises:
        TypeError: a field is not declared by `setting`.
    """
    return _specs_of(owners)


@cache
def _specs_of(owners: tuple[type, ...]) -> tuple[Spec, ...]:
    return tuple({spec.name: spec for owner in owners for spec in _specs(owner)}.values())


def _specs(owner: type) -> Iterator[Spec]:
    for field in dataclasses.fields(owner):
        described = field.metadata.get(_KEY)
        if not isinstance(described, _Described):
            raise TypeError(f"{owner.__name__}.{field.name} must be made by setting(), with help text and group")
        yield Spec(
            field.name,
            described.kind,
            described.help,
            described.group,
            field.default if described.start is MISSING else described.start,
            described.unit,
            "--" + (described.flag or field.name).replace("_", "-"),
            described.is_secret,
            described.request_kind or described.kind,
        )


def check_fields(settings: Any) -> None:
    """Check and convert the fields of a dataclass in its `__post_init__`.

    Raises:
        SettingError: a value is not allowed.
    """
    for spec in specs_of(type(settings)):
        value = getattr(settings, spec.name)
        checked = spec.kind.check(value, spec.name)
        if checked is not value:
            object.__setattr__(settings, spec.name, checked)
