"""Checks of text from outside, and its display on one terminal-safe line."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from keepsight.errors import SettingError

LONGEST_QUESTION = 4000
"""Length limit of a question in characters, for every interface."""

LONGEST_STANDING_QUESTION = 500
"""Length limit of a standing question in characters."""

LONGEST_SHOWN = 80
"""Length limit of rejected text in an error, in characters."""

_LIKENESS = 0.75
"""Similarity from which a name counts as misspelled: that of two swapped letters among four."""

_HALF = re.compile("[\ud800-\udfff]")
"""Unpaired surrogate: JSON can contain one, and undecodable command-line bytes become one."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tab and line breaks."""


def checked_text(text: str, name: str, *, longest: int = LONGEST_QUESTION) -> str:
    """Check that text can be stored, sent, shown to a model and encoded in UTF-8, and return it.

    Tabs and line breaks are allowed, since chat programs send them. So are bidirectional marks, which come with Arabic
    or Hebrew; terminal output escapes them.

    Args:
        text: received text.
        name: name of the text in errors.
        longest: length limit in characters.

    Raises:
        SettingError: it is not valid Unicode, has control characters, shows nothing, or is too long.
    """
    check_unicode(text, name)
    if len(text) > longest:
        raise SettingError(f"{name} must have at most {longest} characters, got {len(text)}")
    if found := _CONTROL.search(text):
        raise SettingError(f"{name} must be text without control characters, got {_where(found)}")
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise SettingError(f"{name} must have at least one visible character, got {_invisible(text)}")
    return text


def _invisible(text: str) -> str:
    """What a text without a visible character is."""
    if not text:
        return "an empty text"
    hidden = next((character for character in text if not character.isspace()), None)
    return "only white space" if hidden is None else f"only invisible characters, such as {hidden!r}"


def check_unicode(text: str, name: str) -> None:
    """Check that text can be encoded in UTF-8.

    Raises:
        SettingError: it has an unpaired surrogate.
    """
    if found := _HALF.search(text):
        raise SettingError(f"{name} must be valid UTF-8, got {_where(found)}")


def check_json(value: Any) -> None:
    """Check that a JSON value has no unpaired surrogates in its strings and keys (RFC 8259, section 8.2).

    Raises:
        SettingError: it has one; the message says where.
    """
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, str):
            check_unicode(part, place.lstrip(".") or "the text")
        elif isinstance(part, dict):
            for key, inner in part.items():
                check_unicode(str(key), f"a key in {place.lstrip('.') or 'the object'}")
                waiting.append((f"{place}.{key}", inner))
        elif isinstance(part, list | tuple):
            waiting.extend((f"{place}.{index}", inner) for index, inner in enumerate(part))


def _where(found: "re.Match[str]") -> str:
    return f"{found.group()!r} at character {found.start() + 1}"


def one_line(text: object) -> str:
    """Text on one line that cannot control a terminal; unprintable characters are escaped, such as a line break.

    File names may contain any character but slash and NUL.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )


def short(text: object, longest: int = LONGEST_SHOWN) -> str:
    """Text on one line as in `one_line`, truncated for an error."""
    line = one_line(text)
    return line if len(line) <= longest else f"{line[:longest]}..."


def closest(name: str, known: Iterable[str]) -> str | None:
    """Known name that a name is a misspelling of; None if none is close."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=_LIKENESS)), None)


def did_you_mean(value: object, known: Iterable[str]) -> str:
    """Name that a refused value is a misspelling of, to end an error with; empty if none is close.

    Args:
        value: rejected value; only text can be misspelled.
        known: allowed names.
    """
    near = closest(value, known) if isinstance(value, str) else None
    return f"; did you mean {near}?" if near and near != value else ""


def unknown(name: str, known: Iterable[str], kind: str = "fields") -> str:
    """Why a name is refused, and what to write instead; completes "NAME is".

    Args:
        name: rejected name.
        known: names that exist.
        kind: plural noun for them.
    """
    near = closest(name, known)
    return f"unknown; did you mean {near}?" if near else f"unknown; known {kind}: {', '.join(sorted(known))}"
