"""Tokens and their scopes: read, ask, or manage."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from keepsight.errors import SettingError
from keepsight.schema import Kind

SHORTEST_TOKEN = 16
"""Minimum length of a token, against guessing."""

_WANTED = f"{SHORTEST_TOKEN} or more letters, digits and signs, without blanks"


class TokenScope(IntEnum):
    """What a token allows; a larger scope includes the smaller ones.

    Read views everything. Ask also asks questions, which occupy the model and are stored. Manage also starts, stops and
    removes streams, and uploads video.
    """

    READ = 1
    ASK = 2
    MANAGE = 3

    @property
    def label(self) -> str:
        """Name as users write it."""
        return self.name.lower()


@dataclass(frozen=True)
class ScopedToken:
    """A token with a limited scope.

    Attributes:
        scope: its scope.
        token: the secret; never shown.

    Raises:
        SettingError: the token is too short, or has characters that a header cannot carry.
    """

    scope: TokenScope
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        check_token(self.token)

    @classmethod
    def parse(cls, text: str) -> "ScopedToken":
        """Parse `SCOPE:TOKEN`.

        Raises:
            SettingError: it has another form; the message does not repeat it.
        """
        name, _, token = text.strip().partition(":")
        labels = {scope.label: scope for scope in TokenScope}
        if name not in labels:
            raise SettingError(f"a scoped token must be SCOPE:TOKEN with SCOPE one of {', '.join(labels)}")
        return cls(labels[name], token)


def parse_tokens(texts: Iterable[str]) -> tuple[ScopedToken, ...]:
    """Parse texts of one `SCOPE:TOKEN` or several separated by commas; such a token has no comma.

    Raises:
        SettingError: one has another form.
    """
    return tuple(ScopedToken.parse(part) for text in texts for part in text.split(",") if part.strip())


def check_token(token: str) -> None:
    """Check the form of a token.

    Raises:
        SettingError: it is too short, or has characters that a header cannot carry.
    """
    if not _is_token(token):
        raise SettingError(f"a token must be {_WANTED}")


def _is_token(token: str) -> bool:
    return len(token) >= SHORTEST_TOKEN and token.isascii() and token.isprintable() and " " not in token


class TokenKind(Kind):
    """Setting kind of a token."""

    metavar = "TOKEN"
    is_shown = False
    wanted = _WANTED

    def accepts(self, value: Any) -> bool:
        """Whether a value is a token."""
        return isinstance(value, str) and _is_token(value)

    def json_schema(self) -> dict[str, Any]:
        """JSON schema: a string."""
        return {"type": "string", "minLength": SHORTEST_TOKEN}


class ScopedTokens(TokenKind):
    """Setting kind of scoped tokens: texts `SCOPE:TOKEN`; as one text, separated by commas or JSON."""

    metavar = "SCOPE:TOKEN"
    is_list = True
    wanted = f"SCOPE:TOKEN, the scope one of {', '.join(scope.label for scope in TokenScope)}, the token {_WANTED}"

    def accepts(self, value: Any) -> bool:
        """Whether a value is a tuple of scoped tokens."""
        return isinstance(value, tuple) and all(isinstance(one, ScopedToken) for one in value)

    def converted(self, value: object) -> object:
        """Parse a list of texts."""
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return value
        try:
            return parse_tokens(value)
        except SettingError:  # `refusal` reports it under the setting's name
            return value

    def parsed(self, text: str) -> object:
        """Split one text into texts."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        return values if isinstance(values, list) else [text]

    def json_schema(self) -> dict[str, Any]:
        """JSON schema: an array of strings."""
        return {"type": "array", "items": {"type": "string"}}


class TokenRing:
    """All tokens of a server. Without any, every client has scope manage.

    Args:
        tokens: tokens with their scopes.
    """

    def __init__(self, tokens: Iterable[ScopedToken]) -> None:
        self._scopes = tuple((_digest(one.token), one.scope) for one in tokens)

    @property
    def is_needed(self) -> bool:
        """Whether requests need a token."""
        return bool(self._scopes)

    def scope_of(self, token: str) -> TokenScope | None:
        """Scope of a token; None if unknown.

        Compares with every token in constant time.
        """
        given, found = _digest(token), None
        for digest, scope in self._scopes:
            if hmac.compare_digest(given, digest):
                found = scope
        return found


def _digest(text: str) -> bytes:
    """Fixed-length digest, so comparison reveals no token length."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
