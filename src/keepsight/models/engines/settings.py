"""Which server answers questions, as flags, variables and files say."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepsight.errors import SettingError
from keepsight.models.engines.http_rules import is_sendable_key
from keepsight.schema import Maybe, Number, PathKind, Text, WebAddress, Whole, check_fields, setting
from keepsight.sources.credentials import first_line

if TYPE_CHECKING:
    from keepsight.models.engines.engine import Engine

ANSWER_KEY_VARIABLE = "KEEPSIGHT_ANSWER_KEY"


@dataclass(frozen=True)
class JsonObject(Text):
    """A JSON object, as text."""

    metavar: str = "JSON"
    wanted = 'a JSON object such as {"reasoning_effort": "none"}'

    def accepts(self, value: Any) -> bool:
        """Whether a value is the text of a JSON object."""
        try:
            return isinstance(value, str) and isinstance(json.loads(value), dict)
        except (ValueError, RecursionError):
            return False


@dataclass(frozen=True)
class AnswerSettings:
    """Which server answers questions in place of the model that watches; none by default.

    Its key comes from `KEEPSIGHT_ANSWER_KEY` or a file, and is no setting, so that it is never printed.

    Raises:
        SettingError: a value is not allowed, or a server is named without its model, or the other way round.
    """

    answer_url: str | None = setting(
        None,
        Maybe(WebAddress(example="http://localhost:11434/v1", hint=f"a key goes into {ANSWER_KEY_VARIABLE}")),
        "Let the model of this OpenAI-compatible server answer questions, such as http://localhost:11434/v1.",
        "model",
    )
    answer_model: str | None = setting(
        None, Maybe(Text("MODEL")), "Name of the model that answers at answer_url, such as qwen3.", "model"
    )
    answer_key_file: Path | None = setting(
        None,
        Maybe(PathKind("FILE"), word=None),
        f"File whose first line is the key of answer_url; or {ANSWER_KEY_VARIABLE}.",
        "model",
    )
    answer_context_tokens: int | None = setting(
        None,
        Maybe(Whole(256), "unknown"),
        "Context window of answer_model; captions are chosen to fit, as the watching model counts tokens.",
        "model",
        unit="tokens",
    )
    answer_options: str | None = setting(
        None,
        Maybe(JsonObject()),
        'Further fields of a request to answer_url, such as {"reasoning_effort": "none"}; null removes a field.',
        "model",
    )
    answer_wait_seconds: float = setting(
        120.0,
        Number(0, 86_400, is_above=True),
        "Give up when answer_url sends nothing for this long.",
        "model",
        unit="seconds",
    )
    answer_seconds: float = setting(
        600.0,
        Number(0, 86_400, is_above=True),
        "Limit the time of a whole answer from answer_url.",
        "model",
        unit="seconds",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.answer_url is not None and self.answer_model is None:
            raise SettingError("needs the name of its model: give answer_model, too", "answer_url")
        if self.answer_url is None and self.answer_model is not None:
            raise SettingError("needs the address of its server: give answer_url, too", "answer_model")

    def to_engine(self, environment: Mapping[str, str] = os.environ) -> "Engine | None":
        """The engine with its key; None if no server is named.

        Raises:
            SettingError: the key's file is unreadable, or the key is not one ASCII word. The message does not show it.
        """
        if self.answer_url is None or self.answer_model is None:
            return None
        from keepsight.models.engines.engine import Engine, EngineLimits

        options = {} if self.answer_options is None else json.loads(self.answer_options)
        return Engine(
            self.answer_url,
            self.answer_model,
            key=self._key(environment),
            context_tokens=self.answer_context_tokens,
            options=options,
            limits=EngineLimits(wait_seconds=self.answer_wait_seconds, total_seconds=self.answer_seconds),
        )

    def _key(self, environment: Mapping[str, str]) -> str:
        if self.answer_key_file is not None:
            place, key = f"the first line of {self.answer_key_file}", first_line(self.answer_key_file, "an API key")
        else:
            place, key = ANSWER_KEY_VARIABLE, environment.get(ANSWER_KEY_VARIABLE, "")
        key = key.strip()
        if key and not is_sendable_key(key):
            raise SettingError(f"{place} must be an API key: one ASCII word")
        return key
