"""Digest authentication (RFC 7616), which proves a password without sending it. Many cameras require it."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from keepsight.sources.network.urls import Credentials

_ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""Hash functions by their names in challenges, strongest first."""

_PARAMETER = re.compile(r'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_CHALLENGE = re.compile(r"(?:^|,)\s*Digest\s+", re.IGNORECASE)


@dataclass
class DigestChallenge:
    """A server's challenge; valid for many requests.

    Attributes:
        realm, nonce, opaque: values from the server.
        algorithm: `SHA-256` or `MD5`.
        has_counter: whether requests are counted (`qop=auth`); not by servers before RFC 2617.
        num_answered: requests answered with it.
    """

    realm: str
    nonce: str
    opaque: str | None
    algorithm: str
    has_counter: bool
    num_answered: int = 0

    def answer(self, credentials: Credentials, target: str, *, client_nonce: str | None = None) -> str:
        """Authorization header of a GET request.

        Args:
            credentials: the user's.
            target: path and query of the request.
            client_nonce: None for a random one.
        """
        self.num_answered += 1
        count, drawn = f"{self.num_answered:08x}", client_nonce or secrets.token_urlsafe(24)
        secret = self._hash(f"{credentials.user}:{self.realm}:{credentials.password}")
        counted = f"{count}:{drawn}:auth:" if self.has_counter else ""
        response = self._hash(f"{secret}:{self.nonce}:{counted}{self._hash(f'GET:{target}')}")
        parts = [_user(credentials.user), f"realm={_quoted(self.realm)}", f"nonce={_quoted(self.nonce)}"]
        parts += [f"uri={_quoted(target)}", f'response="{response}"', f"algorithm={self.algorithm}"]
        if self.has_counter:
            parts += ["qop=auth", f"nc={count}", f'cnonce="{drawn}"']
        if self.opaque is not None:
            parts.append(f"opaque={_quoted(self.opaque)}")
        return "Digest " + ", ".join(parts)

    def _hash(self, text: str) -> str:
        return _ALGORITHMS[self.algorithm](text.encode()).hexdigest()


def read_challenge(headers: Iterable[str]) -> DigestChallenge | None:
    """Strongest supported challenge in WWW-Authenticate headers, or None."""
    offered = [challenge for header in headers for challenge in _challenges(header)]
    by_strength = [one for name in _ALGORITHMS for one in offered if one.algorithm == name]
    return by_strength[0] if by_strength else None


def _challenges(header: str) -> Iterable[DigestChallenge]:
    for text in _CHALLENGE.split(header)[1:]:
        said: dict[str, str] = {}
        for name, quoted, plain in _PARAMETER.findall(text):  # parameters of a following scheme come too late to matter
            said.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else plain)
        algorithm = said.get("algorithm", "MD5").upper()
        kinds = [kind.strip() for kind in said.get("qop", "auth").split(",")]
        is_sendable = all(value.isascii() and value.isprintable() for value in said.values())
        if "nonce" in said and algorithm in _ALGORITHMS and "auth" in kinds and is_sendable:
            yield DigestChallenge(said.get("realm", ""), said["nonce"], said.get("opaque"), algorithm, "qop" in said)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _user(user: str) -> str:
    if user.isascii() and user.isprintable():
        return f"username={_quoted(user)}"
    return f"username*=UTF-8''{quote(user, safe='')}"
