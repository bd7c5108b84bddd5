"""Settings as a reusable TOML file, without secrets."""

import json
from pathlib import Path

from keepsight.schema.fields import GROUPS, Spec, specs_of
from keepsight.schema.sources import LoadedSettings


def as_toml(settings: LoadedSettings) -> str:
    """One line per setting with its origin, in groups; unset values and secrets as comments."""
    specs = specs_of(*settings.owners)
    groups = [[_line(settings, spec) for spec in specs if spec.group == group] for group in GROUPS]
    blocks = [[f"# {group}", *lines] for group, lines in zip(GROUPS, groups, strict=True) if lines]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _line(settings: LoadedSettings, spec: Spec) -> str:
    value, origin = settings.values[spec.name], settings.origins.get(spec.name)
    comment = f"  # {_printable('default' if origin is None else origin.place)}"
    if spec.is_secret:
        return f"# {spec.name} is {'set, and not shown' if value else 'not set'}{comment}"
    if value is None and (spec.default is None or origin is None):
        return f"# {spec.name} is not set{comment}"
    return f"{spec.name} = {_toml(value)}{comment}"


def _toml(value: object) -> str:
    """A value in TOML 1.0; strings, booleans and lists are written as in JSON."""
    if value is None:
        return '"none"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, Path | str):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
