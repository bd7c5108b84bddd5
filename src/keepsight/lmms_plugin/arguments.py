"""Keepsight's settings in lmms-eval's `--model_args`."""

import json
from collections.abc import Mapping

from keepsight.errors import SettingError
from keepsight.settings import Settings


def read_settings(arguments: Mapping[str, object]) -> Settings:
    """Settings from command-line arguments.

    lmms-eval has parsed numbers and booleans already. Of the remaining strings, `none` means None, and a leading
    bracket a JSON list, such as `score_layers=[5,9]`.

    Raises:
        SettingError: an unknown setting, or an invalid value.
    """
    return Settings.from_json(json.dumps({name: _value(name, value) for name, value in arguments.items()}))


def _value(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    if not value.startswith("["):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise SettingError(f"{name} must be a JSON list, got {value!r}: {error}") from error
