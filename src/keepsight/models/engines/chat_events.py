"""Events of a streamed chat completion (OpenAI's API reference, "Chat", streaming)."""

import json
from dataclasses import dataclass
from typing import Any

from keepsight.errors import EngineError
from keepsight.models.engines.http_rules import shorten

DONE = "[DONE]"
"""Data of the last event."""

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True)
class Chunk:
    """One event.

    Attributes:
        text: what it adds to the answer; empty for roles, token counts and thoughts.
        finish_reason: why the answer ends, such as `stop` or `length`; None while it does not.
    """

    text: str
    finish_reason: str | None


def read_chunk(data: str) -> Chunk:
    """Read the data of an event.

    Raises:
        EngineError: it is an error, or no chunk of a chat completion. The message ends a sentence about the server.
    """
    try:
        event: Any = json.loads(data)
        if event.get("error"):
            raise EngineError(f"reported an error: {reason_in(event)}")
        choices = event["choices"]
        if not choices:
            return Chunk("", None)
        text, reason = choices[0].get("delta", {}).get("content"), choices[0].get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise EngineError(f"must stream chat completion chunks, got {shorten(data)!r}") from None
    if not isinstance(text, str | None) or not isinstance(reason, str | None):
        raise EngineError(f"must stream chat completion chunks, got {shorten(data)!r}")
    return Chunk(text or "", reason or None)


def reason_in(body: Any) -> str:
    """Reason in an error body `{"error": {"message": ...}}`, or in one of the forms that other servers use."""
    found = body
    for key in ("error", "detail", "message"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return shorten(found if isinstance(found, str) else json.dumps(found))


class SpokenText:
    """Text of an answer without the thoughts that some models write first, between `<think>` and `</think>`.

    Leading blanks are dropped, and unpaired surrogates, which JSON can carry, become U+FFFD.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_spoken = False

    def add(self, text: str) -> str:
        """What can be shown after the next piece of text; may be empty."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if self._has_spoken:
            return text
        self._held = (self._held + text).lstrip()
        if self._held.startswith(_OPEN):
            _, end, after = self._held.partition(_CLOSE)
            if not end:
                return ""
            self._held = after.lstrip()
        return "" if _OPEN.startswith(self._held) else self._speak()

    def rest(self) -> str:
        """What was held back as the possible start of thoughts, at the end of the answer."""
        return "" if self._has_spoken or self._held.startswith(_OPEN) else self._speak()

    def _speak(self) -> str:
        self._has_spoken = True
        spoken, self._held = self._held, ""
        return spoken
