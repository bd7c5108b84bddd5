"""Methods by name.

To add one, write a frozen dataclass in its own file and list it in `METHODS`, or register a plug-in.
"""

import json
import math
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
from keepsight.bench.methods.oracle import OracleCaptions, OracleTokens, is_oracle
from keepsight.bench.methods.selected_tokens import SelectedTokens
from keepsight.bench.methods.uniform_frames import UniformFrames
from keepsight.bench.methods.visual_similarity import VisualSimilarity
from keepsight.errors import SettingError
from keepsight.incoming import unknown
from keepsight.plugins import Group
from keepsight.schema.parts import near_part
from keepsight.settings import Settings

__all__ = ["METHODS", "METHOD_GROUP", "Asked", "Captioned", "Method", "Observer", "Reply", "is_oracle", "make_method"]

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
        "oracle-captions": OracleCaptions,
        "oracle-tokens": OracleTokens,
    }
)
"""Built-in methods by name; the first is Keepsight's default."""

METHOD_GROUP = Group("keepsight.bench_methods", "method", tuple(METHODS), ("begin", "answer"))
"""All methods, including plug-ins."""


def make_method(text: str, settings: Settings | None = None) -> Method[Any]:
    """Method from its name and settings that differ from the defaults.

    Args:
        text: such as `captions`, `captions:selector=uniform,retention=0.12` or `last-frames:num_frames=8`. Values are
            JSON, else plain strings.
        settings: base settings; None for defaults.

    Raises:
        SettingError: no such method, or a setting is unknown or invalid.
        PlugInError: the method is a plug-in that fails.
    """
    name, _, listed = text.partition(":")
    try:
        plug_in = METHOD_GROUP.find(name)
    except SettingError as error:
        raise SettingError(f"{error}{near_part(name, METHOD_GROUP)}") from error
    factory: Any = METHODS[name] if plug_in is None else METHOD_GROUP.load(plug_in)
    own_names = {field.name for field in fields(factory)} - {"settings"}
    values = dict(_pair(text, pair) for pair in _split(listed))
    own = {key: value for key, value in values.items() if key in own_names}
    shared = {key: value for key, value in values.items() if key not in own_names}
    known = [field.name for field in fields(Settings)]
    for key in shared:
        if key not in known:
            raise SettingError(f"the setting {key!r} of {name} is {unknown(key, (*own_names, *known), 'settings')}")
    wanted = replace(settings or Settings(), **shared)
    try:
        with METHOD_GROUP.calling(factory, "its creation", expected=(SettingError, TypeError)):
            made: Method[Any] = factory(settings=wanted, **own)
    except TypeError as error:
        raise SettingError(f"could not make method {text!r}: {error}") from error
    _check_members(made)
    return made


def _check_members(method: Method[Any]) -> None:
    """Read what decides how a method watches, so that a plug-in's fault shows before the run.

    Raises:
        PlugInError: a plug-in fails, or gives something else than a rate and a hashable value.
    """
    with METHOD_GROUP.calling(method, "sample_fps"):
        fps = method.sample_fps
        if not (isinstance(fps, int | float) and 0 < fps < math.inf):
            raise SettingError(f"the result must be a number above 0, got {fps!r}")
    with METHOD_GROUP.calling(method, "watching"):
        hash(method.watching)


def _split(listed: str) -> list[str]:
    """Split at commas outside brackets: `a=1,layers=[2,3]` has two parts."""
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
        raise SettingError(f"a method must be written as name:setting=value,setting=value, got {text!r}")
    try:
        return key.strip(), json.loads(value)
    except json.JSONDecodeError:
        return key.strip(), value.strip()
