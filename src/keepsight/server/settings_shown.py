"""Settings as a TOML file that can be given back to the server, without its secrets."""

import json
from dataclasses import asdict, fields
from itertools import chain
from pathlib import Path

from keepsight.server.settings_sources import SettledSettings


def as_toml(settings: SettledSettings) -> str:
    """A line for each setting, with where it is from; those that have no value, and secrets, are comments.

    A secret is a field whose dataclass leaves it out of its `repr`.
    """
    lines = []
    for one, part in chain.from_iterable(
        [(one, part) for one in fields(part)] for part in (settings.server, settings.work)
    ):
        value, origin = getattr(part, one.name), settings.origins.get(one.name)
        comment = f"  # {_printable(origin)}" if origin else ""
        if value is None or not one.repr:
            what = "not set" if not value else "set, and not shown"
            lines.append(f"# {one.name} is {what}{comment}")
        else:
            lines.append(f"{one.name} = {_toml(value)}{comment}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A value as TOML 1.0 has it: JSON's strings, booleans and lists are TOML's as well."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, Path | str):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if hasattr(value, "__dataclass_fields__"):
        pairs = ", ".join(f"{name} = {_toml(part)}" for name, part in asdict(value).items() if part is not None)  # type: ignore[call-overload]
        return f"{{{pairs}}}"
    return json.dumps(value)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
