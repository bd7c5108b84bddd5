"""JSON files of a checkpoint: a damaged one raises one line that says what to do."""

import json
from pathlib import Path
from typing import Any

from keepsight.errors import ModelError

REMEDY = "correct it, or download the model again"

_LONGEST_SHOWN = 60


def read_object(path: Path, *, is_needed: bool = False, remedy: str = REMEDY) -> dict[str, Any]:
    """Content of a JSON file that holds an object; empty if there is no such file.

    Args:
        path: the file.
        is_needed: whether a missing file is an error.
        remedy: what to do about a damaged file, for the message.

    Raises:
        ModelError: it is not JSON, or not an object, or missing though needed.
    """
    if not is_needed and not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}; {remedy}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} must be a JSON object, got {shown(content)}; {remedy}")
    return content


def shown(value: object) -> str:
    """A value as JSON, for a message; cut if it is long."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
