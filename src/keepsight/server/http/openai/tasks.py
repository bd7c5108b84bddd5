"""Automatic prompts of chat programs, for titles, tags or follow-up questions, which are not about a video.

They are recognised by the full template of Open WebUI and LibreChat only, since a question mistaken for one would go
unanswered. Replies are made by rule, in the format that the program parses.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

LONGEST_TITLE = 60
"""Maximum length in characters."""

_OPEN_WEBUI = re.compile(r"\s*### Task:\s*\n")
_HISTORY = re.compile(r"<chat_history>(.*)</chat_history>", re.DOTALL)
_FORM = re.compile(r"\{\s*\"(\w+)\"\s*:")
_USER_SAYS = re.compile(r"^\s*USER:\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_LIBRECHAT = re.compile(
    r"\s*(?:(?:Provide|Please generate) a concise, 5-word-or-less title for the conversation\b.*\n"
    r"|Please generate a concise title \(max \d+ characters\) for a conversation that starts with\b"
    r"|Analyze this conversation and provide:\s*\n\s*1\. The detected language of the conversation\b)",
    re.IGNORECASE,
)
_EMPTY: Mapping[str, Any] = MappingProxyType(
    {"tags": [], "follow_ups": [], "queries": [], "text": "", "prompt": "", "questions": []}
)


def reply_to_task(text: str, source: str) -> str | None:
    """Reply to a chat program's automatic prompt, or None if the text is a question.

    A title is the user's first message; everything else is empty, since it would have to be invented.

    Args:
        text: the last message.
        source: name of the stream's source, used as title if there is no question.
    """
    if _LIBRECHAT.match(text):
        return _title(text, source)
    history = _HISTORY.search(text)
    if not _OPEN_WEBUI.match(text) or history is None:
        return None
    form = _FORM.search(text[: history.start()])
    key = "" if form is None else form.group(1)
    if key == "title":
        return json.dumps({"title": _title(history.group(1), source)}, ensure_ascii=False)
    return json.dumps({key: _EMPTY[key]}) if key in _EMPTY else ""


def _title(conversation: str, source: str) -> str:
    """The user's first message on one line, or the source's name."""
    said = _USER_SAYS.search(conversation)
    words = " ".join((said.group(1) if said else source.rstrip("/").rpartition("/")[2] or source).split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 3].rsplit(" ", 1)[0] + "..."
