"""Rules of HTTP that all clients of OpenAI-compatible servers share: keys, refusals, when to ask again."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MOST_SHOWN = 200
"""Length limit of a server's text in an error, in characters."""


def is_sendable_key(key: str) -> bool:
    """Whether a key is one ASCII word, as a header needs it. Libraries print a key that is not."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


def hide(said: str, secret: str) -> str:
    """A server's text with the key removed, also with JSON backslashes."""
    return re.sub(r"\\*".join(map(re.escape, secret)), "***", said) if secret else said


def shorten(text: str, length: int = MOST_SHOWN) -> str:
    """Start of a text on one line, for error messages."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def seconds_to_wait(retry_after: str | None) -> float | None:
    """Seconds of a `Retry-After` header: whole seconds or a date (RFC 9110, section 10.2.3), else None."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
