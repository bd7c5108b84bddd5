"""Methods by name. One more is one file with a frozen dataclass and one line in `METHODS`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, Final

from keepsight.bench.methods.base import Asked, Captioned, Method, Observer, Reply
from keepsight.bench.methods.blind import Blind
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.captions_and_live import CaptionsAndLive
from keepsight.bench.methods.captions_and_tokens import CaptionsAndTokens
from keepsight.bench.methods.kv_retrieval import KeyValueRetrieval
from keepsight.bench.methods.last_frames import LastFrames
from keepsight.bench.methods.selected_tokens import SelectedTokens
from keepsight.bench.methods.uniform_frames import UniformFrames
from keepsight.bench.methods.visual_similarity import VisualSimilarity
from keepsight.errors import SettingError
from keepsight.settings import Settings

__all__ = ["METHODS", "Asked", "Captioned", "Method", "Observer", "Reply", "make_method"]

METHODS: Final[Mapping[str, Callable[..., Method[Any]]]] = MappingProxyType(
    {
        "captions": Captions,
        "captions-and-live": CaptionsAndLive,
        "captions-and-tokens": CaptionsAndTokens,
        "selected-tokens": SelectedTokens,
        "visual-similarity": VisualSimilarity,
        "kv-retrieval": KeyValueRetrieval,
        "blind": Blind,
        "uniform-frames": UniformFrames,
        "last-frames": LastFrames,
    }
)
"""Every method by the name that the command line uses; the first is Keepsight itself."""


def make_method(text: str, settings: Settings | None = None) -> Method[Any]:
    """A method from its name and the settings in which it differs.

    Args:
        text: such as `captions`, `captions:selector=uniform,retention=0.12` or `last-frames:num_frames=8`. Values are
            JSON; what is none is taken as a text.
        settings: what the others are; the defaults if None.

    Raises:
        SettingError: no method has this name, or a setting is unknown or not allowed.
    """
    name, _, listed = text.partition(":")
    if name not in METHODS:
        raise SettingError(f"a method is one of {', '.join(METHODS)}, not {name!r}")
    factory = METHODS[name]
    own_names = {field.name for field in fields(factory)} - {"settings"}  # type: ignore[arg-type]
    values = dict(_pair(text, pair) for pair in _split(listed))
    own = {key: value for key, value in values.items() if key in own_names}
    shared = {key: value for key, value in values.items() if key not in own_names}
    known = [field.name for field in fields(Settings)]
    for key in shared:
        if key not in known:
            raise SettingError(f"{name} has no setting {key!r}; it has {', '.join([*sorted(own_names), *known])}")
    return factory(settings=replace(settings or Settings(), **shared), **own)


def _split(listed: str) -> list[str]:
    """Parts between commas, but not those inside brackets: `a=1,layers=[2,3]` has two."""
    parts, depth = [""], 0
    for character in listed:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part]


def _pair(text: str, pair: str) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    if not equals:
        raise SettingError(f"a method is written as name:setting=value,setting=value, not {text!r}")
    try:
        return key.strip(), json.loads(value)
    except json.JSONDecodeError:
        return key.strip(), value.strip()
