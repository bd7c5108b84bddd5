"""Settings of dataclasses as command options: flags, help texts and defaults."""

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keepsight.cli.options import checked_path
from keepsight.cli.output import complain
from keepsight.models.engines.settings import ANSWER_KEY_VARIABLE
from keepsight.schema import GROUPS, Flag, Kind, Maybe, PartName, SettingGroup, Spec, specs_of
from keepsight.schema.sources import LoadedSettings, load_settings, misspelled_variables
from keepsight.settings import DIFFERENCES
from keepsight.sources.credentials import PASSWORD_VARIABLE, USER_VARIABLE

Load = Callable[[Path | None, bool], LoadedSettings]
"""Collects the settings of every origin, given the values of `--config` and `--paper`."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Read settings from this TOML file; flags and KEEPSIGHT_... variables win.",
        callback=checked_path,
        rich_help_panel="Basic",
    ),
]
PaperOption = Annotated[
    bool,
    typer.Option("--paper", help="Use the paper's settings where defaults differ.", rich_help_panel="Method"),
]
PrintSettingsOption = Annotated[
    bool,
    typer.Option(
        "--print-settings",
        help="Print all settings as TOML with their origins, and exit.",
        rich_help_panel="Basic",
    ),
]


class TakesSettings:
    """Decorator that adds an option for each setting of some dataclasses.

    The command takes a parameter `load: Load`.

    Help shows settings in their groups, and the command's own options in their panels.

    Args:
        owners: the dataclasses.
        known: dataclasses of other commands, whose settings a file may also have.
        readers: those commands, if this one does what their settings say otherwise.
    """

    def __init__(self, owners: tuple[type, ...], known: tuple[type, ...] = (), readers: str = "") -> None:
        self._owners = owners
        self._known = known
        self._readers = readers
        self._specs = specs_of(*owners)

    def __call__(self, command: Callable[..., None]) -> Callable[..., None]:
        """The command with these options after its own."""

        @functools.wraps(command)
        def run(**words: Any) -> None:
            flags = {spec.name: words.pop(spec.name) for spec in self._specs}
            command(**words, load=functools.partial(self._load, flags))

        own = [one for one in inspect.signature(command).parameters.values() if one.name != "load"]
        every = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *map(_parameter, self._specs))]
        run.__signature__ = inspect.Signature(sorted(every, key=_place))  # type: ignore[attr-defined]
        return run

    def _load(self, flags: dict[str, Any], config: Path | None, paper: bool) -> LoadedSettings:
        """Load all settings; name misspelled variables on stderr.

        Raises:
            SettingError: as for `load_settings`.
        """
        complain_of_variables(self._owners, self._known, self._readers)
        given = {name: value or None if isinstance(value, list) else value for name, value in flags.items()}
        presets = {name: ("--paper", theirs) for name, (_, theirs, _) in DIFFERENCES.items()} if paper else {}
        return load_settings(self._owners, given, config, presets=presets, known=self._known)


def complain_of_variables(owners: Sequence[type], known: Sequence[type], readers: str) -> None:
    """Name misspelled variables on stderr.

    Args:
        owners: dataclasses of the command's settings.
        known: dataclasses of other commands.
        readers: commands that read the variables of `known`, where this one does not; empty to leave it out.
    """
    own = {ANSWER_KEY_VARIABLE, *(spec.variable for spec in specs_of(*owners))}
    secrets = (USER_VARIABLE, PASSWORD_VARIABLE, ANSWER_KEY_VARIABLE)
    for name, meant in misspelled_variables((*owners, *known), secrets).items():
        where = f", which {readers} read" if readers and meant not in own else ""
        complain(f"the variable {name} is ignored; did you mean {meant}{where}?")


def panel(group: SettingGroup) -> str:
    """Heading of a group's options in the help text."""
    return group.capitalize()


def _place(parameter: inspect.Parameter) -> int:
    """Sort key of a parameter in the help text: arguments first, then the groups."""
    (info,) = parameter.annotation.__metadata__
    titles = [panel(group) for group in GROUPS]
    return titles.index(info.rich_help_panel) if info.rich_help_panel in titles else -1


def _parameter(spec: Spec) -> inspect.Parameter:
    kind = spec.kind.kind if isinstance(spec.kind, Maybe) else spec.kind
    names = (f"{spec.flag}/--no-{spec.flag.removeprefix('--')}",) if isinstance(kind, Flag) else (spec.flag,)
    option = typer.Option(
        *names,
        help=_help(spec),
        metavar=spec.metavar or None,
        rich_help_panel=panel(spec.group),
    )
    return inspect.Parameter(
        spec.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_type(kind), option]
    )


def _type(kind: Kind) -> Any:
    """Values are parsed by the setting's own rules, as in files; typer only needs to list them."""
    if isinstance(kind, Flag):
        return bool | None
    return list[str] | None if kind.is_list else str | None


def _help(spec: Spec) -> str:
    names = f": {', '.join(spec.kind.names)}" if spec.kind.names else ""
    names += ", or a plug-in's name" if isinstance(spec.kind, PartName) else ""
    return f"{spec.help.rstrip('.')}{names}; default: {spec.default_text.rstrip('.')}."
