"""Origins of settings: flags override the environment, which overrides a file, which overrides defaults.

The names are the same everywhere: the setting `max_days` is `--max-days`, `KEEPSIGHT_MAX_DAYS` in the environment, and
`max_days = 8` in a TOML file. Other `KEEPSIGHT_...` variables are ignored, since other programs set such, too, and
Kubernetes does for a service of that name; `misspelled_variables` finds those that were meant for a setting.
"""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from keepsight.errors import SettingError
from keepsight.incoming import check_unicode, closest, short, unknown
from keepsight.schema.fields import VARIABLE_PREFIX, Spec, specs_of

Part = TypeVar("Part")


@dataclass(frozen=True)
class Origin:
    """Origin of a setting.

    Attributes:
        place: a flag, a variable, or a file.
        spelling: the setting as written there, for errors.
    """

    place: str
    spelling: str


@dataclass(frozen=True)
class LoadedSettings:
    """Settings of all origins.

    Attributes:
        owners: their dataclasses, in order.
        values: all settings, including defaults.
        origins: origins of the settings that were given.
    """

    owners: tuple[type, ...]
    values: Mapping[str, object] = field(repr=False)
    origins: Mapping[str, Origin]

    def make(self, owner: type[Part]) -> Part:
        """Create one of the dataclasses.

        Raises:
            SettingError: values contradict each other; the error spells the setting as given.
        """
        with self.spelled():
            return owner(**{spec.name: self.values[spec.name] for spec in specs_of(owner)})

    @contextmanager
    def spelled(self) -> Iterator[None]:
        """Spell settings in errors of the block as they were given.

        Raises:
            SettingError: the block raised it.
        """
        try:
            yield
        except SettingError as error:
            origin = self.origins.get(error.setting or "")
            if origin is None:
                raise
            raise error.spelled(origin.spelling) from error


def load_settings(
    owners: Sequence[type],
    flags: Mapping[str, object],
    file: Path | None = None,
    *,
    presets: Mapping[str, tuple[str, object]] | None = None,
    known: Sequence[type] = (),
) -> LoadedSettings:
    """Load and check all settings of some dataclasses, from all origins.

    Args:
        owners: the dataclasses.
        flags: command-line values by setting; None if not given.
        file: a TOML file.
        presets: flags that set several settings; by setting, the flag and the value. Settings' own flags override them.
        known: dataclasses of other commands, whose settings a file may also have.

    Raises:
        SettingError: the file cannot be read, a setting does not exist, or a value is not allowed; the message spells
            the setting as given, and never contains a secret.
    """
    specs = {spec.name: spec for spec in specs_of(*owners)}
    others = {spec.name for spec in specs_of(*known)} if known else set()
    given: dict[str, tuple[Origin, object]] = {}
    if file is not None:
        given |= {name: one for name, one in _of_file(file, set(specs) | others).items() if name in specs}
    given |= dict(_of_environment(specs))
    given |= {name: (Origin(flag, name), value) for name, (flag, value) in (presets or {}).items()}
    given |= {
        name: (Origin(specs[name].flag, specs[name].flag), value) for name, value in flags.items() if value is not None
    }
    values = {name: spec.default for name, spec in specs.items()}
    values |= {name: _read(specs[name], *one) for name, one in given.items()}
    loaded = LoadedSettings(tuple(owners), values, {name: origin for name, (origin, _) in given.items()})
    for owner in owners:
        loaded.make(owner)
    return loaded


def misspelled_variables(owners: Sequence[type], others: Collection[str] = ()) -> dict[str, str]:
    """Variables of the environment that name no setting but nearly do, each with the one that was meant.

    Args:
        owners: dataclasses of all settings.
        others: variables that are read elsewhere.
    """
    specs = specs_of(*owners)
    # A flag may have another name than its setting, such as --root, which then is what a user writes.
    meant = {spec.flag.removeprefix("--").replace("-", "_").upper(): spec.variable for spec in specs}
    meant |= {name.removeprefix(VARIABLE_PREFIX): name for name in (*(spec.variable for spec in specs), *others)}
    known = set(meant.values())
    given = [name for name in os.environ if name.upper().startswith(VARIABLE_PREFIX) and name.upper() not in known]
    near = {name: closest(name.upper().removeprefix(VARIABLE_PREFIX), meant) for name in given}
    return {name: meant[found] for name, found in near.items() if found is not None}


def _of_file(path: Path, known: set[str]) -> dict[str, tuple[Origin, object]]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise SettingError(f"{path} must be TOML: {reason}") from None
    for name, value in values.items():
        if _is_table_of_settings(name, value, known):
            raise SettingError(
                f"{path}: settings must be at the top level, got the table [{short(name)}]; write them without tables"
            )
        if name not in known:
            raise SettingError(f"{path}: the setting {name!r} is {unknown(name, known, 'settings')}")
    return {name: (Origin(str(path), f"{name} in {path}"), value) for name, value in values.items()}


def _is_table_of_settings(name: str, value: object, known: set[str]) -> bool:
    """Whether a key of a TOML file is a table, or a list of them, that was meant to group settings.

    It may have the name of a setting, such as `[model]`; then it has settings in it.
    """
    tables = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    return bool(tables) and (name not in known or any(key in known for table in tables for key in table))


def _of_environment(specs: Mapping[str, Spec]) -> Iterator[tuple[str, tuple[Origin, object]]]:
    """Settings from the environment; names are case-insensitive."""
    variables = {name.upper(): value for name, value in os.environ.items()} | dict(os.environ)
    for spec in specs.values():
        if spec.variable in variables:
            yield spec.name, (Origin(spec.variable, spec.variable), variables[spec.variable])


def _read(spec: Spec, origin: Origin, value: object) -> Any:
    """Read a value; text must be Unicode, but a path may have any bytes but NUL."""
    try:
        read = spec.kind.read(value, spec.name)
    except SettingError as error:
        raise error.spelled(origin.spelling) from error
    for one in read if isinstance(read, tuple) else (read,):
        if isinstance(one, str | Path):
            if "\0" in str(one):
                raise SettingError(f"{origin.spelling} must be text without NUL characters")
            if isinstance(one, str):
                check_unicode(one, origin.spelling)
    return read
