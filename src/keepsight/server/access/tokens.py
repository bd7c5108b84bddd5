"""Tokens and what each of them lets its bearer do: read, ask, or manage."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from keepsight.errors import SettingError

SHORTEST_TOKEN = 16
"""Characters of a token at least, so that it cannot be tried out."""


class TokenScope(IntEnum):
    """What a request may do; a larger one may do all that a smaller one may.

    Read looks at what there is. Ask puts questions, which keep the model busy and are stored. Manage begins, ends and
    removes streams, and brings video.
    """

    READ = 1
    ASK = 2
    MANAGE = 3

    @property
    def label(self) -> str:
        """Its name as users write it."""
        return self.name.lower()


@dataclass(frozen=True)
class ScopedToken:
    """A token of less than all rights.

    Attributes:
        scope: what it is good for.
        token: the secret; never shown.

    Raises:
        SettingError: the token is too short, or has signs that no header can carry.
    """

    scope: TokenScope
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        check_token(self.token)

    @classmethod
    def parse(cls, text: str) -> "ScopedToken":
        """From `SCOPE:TOKEN`, such as `ask:` and the token.

        Raises:
            SettingError: it is not of that form; the message does not repeat it.
        """
        name, _, token = text.strip().partition(":")
        labels = {scope.label: scope for scope in TokenScope}
        if name not in labels:
            raise SettingError(f"a token with a scope is SCOPE:TOKEN, the scope one of {', '.join(labels)}")
        return cls(labels[name], token)


def parse_tokens(texts: Iterable[str]) -> tuple[ScopedToken, ...]:
    """Tokens from texts of one `SCOPE:TOKEN` or several with commas between; such a token has no comma.

    Raises:
        SettingError: one is not of that form.
    """
    return tuple(ScopedToken.parse(part) for text in texts for part in text.split(",") if part.strip())


def check_token(token: str) -> None:
    """Refuse what is no token.

    Raises:
        SettingError: it is too short, or has signs that no header can carry.
    """
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingError(f"a token has {SHORTEST_TOKEN} or more letters, digits and signs, and no blanks")


class TokenRing:
    """All tokens of a server. Where there are none, everybody may do everything.

    Args:
        tokens: each with its scope.
    """

    def __init__(self, tokens: Iterable[ScopedToken]) -> None:
        self._scopes = tuple((_digest(one.token), one.scope) for one in tokens)

    @property
    def is_needed(self) -> bool:
        """Whether a request needs a token at all."""
        return bool(self._scopes)

    def scope_of(self, token: str) -> TokenScope | None:
        """What a token is good for; None if it is none of these.

        Compared with each of them, in a time that says nothing about any.
        """
        given, found = _digest(token), None
        for digest, scope in self._scopes:
            if hmac.compare_digest(given, digest):
                found = scope
        return found


def _digest(text: str) -> bytes:
    """Of one length for all texts, so that comparing tells nothing about the length either."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
