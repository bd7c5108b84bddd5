"""The part of lmms-eval's `--model_args` that is Keepsight's settings."""

import json
from collections.abc import Mapping

from keepsight.errors import SettingError
from keepsight.settings import Settings


def read_settings(arguments: Mapping[str, object]) -> Settings:
    """Settings from arguments of the command line.

    lmms-eval has read numbers and truth values already. Of what it leaves as text, `none` means None, and what begins
    with a bracket is a JSON list, such as `score_layers=[5,9]`.

    Raises:
        SettingError: there is no setting of a name, or a value is not allowed.
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
        raise SettingError(f"{name} must be a JSON list, not {value!r}: {error}") from error
