"""Addresses of sources, with what is secret in them kept apart.

A camera's address often holds its password, and a server's a token. Such an address is shown in errors, logs and
pages only as `SourceUrl.display`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from keepsight.errors import AddressRefusedError

DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
"""Schemes that are let through, and their ports."""

MAX_URL_CHARACTERS = 8192
"""Longest address."""

_SECRET_NAME = re.compile(
    r"(^|[^a-z])(sig|key|pwd|pw|pin|sid|jwt|hmac|st|se|sp|sv|sr|user|usr|login|policy|hdn[a-z]*|x-amz-.*)($|[^a-z])"
    r"|token|key|signature|secret|passw|passphrase|auth|credential|session|access|ticket|nonce|hash",
    re.IGNORECASE,
)
_LONG_VALUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{20,}")
_ODD_CHARACTER = re.compile(r"[\x00-\x20\x7f\\]")
_USER_INFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@")
_MASK = "***"


@dataclass(frozen=True, repr=False)
class Credentials:
    """A user's name and password, decoded. Never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


@dataclass(frozen=True, repr=False)
class SourceUrl:
    """An address that was parsed. Made by `parse_url`.

    Attributes:
        scheme: one of `DEFAULT_PORTS`.
        host: without brackets, lower case.
        port: 1 to 65535.
        target: path and query as they are sent, percent-encoded.
        credentials: for this host only, or None.
    """

    scheme: str
    host: str
    port: int
    target: str
    credentials: Credentials | None = field(default=None)

    @property
    def netloc(self) -> str:
        """Host and port, as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def display(self) -> str:
        """The address without user, password, and likely secrets in its query."""
        path, mark, query = self.target.partition("?")
        return f"{self.scheme}://{self.netloc}{path}{mark}{_masked(query)}"

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    def require(self, schemes: Collection[str]) -> None:
        """Check that the scheme is among those that can be read here.

        Raises:
            AddressRefusedError: it is not.
        """
        if self.scheme not in schemes:
            raise AddressRefusedError(f"{self.display} cannot be read here: only {', '.join(sorted(schemes))} can")

    def join(self, reference: str) -> "SourceUrl":
        """The address that a redirect or a playlist at this one names.

        Credentials go along to the same host, port and scheme only, or from http to https on the same host; those
        written in the reference itself are dropped.

        Raises:
            AddressRefusedError: it is none that may be opened.
        """
        try:
            joined = urljoin(f"{self.scheme}://{self.netloc}{self.target}", reference)
        except ValueError:
            raise AddressRefusedError(f"{self.display} leads to what is no address") from None
        # urljoin takes an unknown scheme for a whole address, and cleans away what parse_url would refuse.
        if _ODD_CHARACTER.search(reference.strip()):
            raise AddressRefusedError(f"{self.display} leads to an address with blanks, controls or backslashes")
        other = parse_url(joined)
        is_same = (other.scheme, other.host, other.port) == (self.scheme, self.host, self.port)
        is_upgrade = self.scheme == "http" and other.scheme == "https" and other.host == self.host
        credentials = self.credentials if is_same or is_upgrade else None
        return SourceUrl(other.scheme, other.host, other.port, other.target, credentials)

    def __repr__(self) -> str:
        return f"SourceUrl({self.display!r})"

    def __str__(self) -> str:
        return self.display


def parse_url(url: str) -> SourceUrl:
    """Parse an address.

    Raises:
        AddressRefusedError: its scheme is not let through, or it is malformed. The message shows no secret.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise AddressRefusedError(f"an address has at most {MAX_URL_CHARACTERS} characters, not {len(url)}")
    if _ODD_CHARACTER.search(url):  # urlsplit would drop some of them silently
        raise AddressRefusedError("an address holds no blanks, controls or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message, and so the chain of causes, may hold the password
        raise AddressRefusedError("the address is malformed: its host or port cannot be read") from None
    scheme = parts.scheme
    if scheme not in DEFAULT_PORTS:
        allowed = ", ".join(DEFAULT_PORTS)
        raise AddressRefusedError(f"an address starts with one of {allowed}, not {scheme[:20]!r}")
    if not parts.hostname or port == 0:
        raise AddressRefusedError(f"the address names no host, or port 0; it reads {scheme}://host[:port]/path")
    return SourceUrl(scheme, parts.hostname, port or DEFAULT_PORTS[scheme], _target(parts), _credentials(parts))


def strip_credentials(url: str) -> str:
    """An address as it may be shown: see `SourceUrl.display`. What is no address of a network comes back as it is."""
    try:
        return parse_url(url).display
    except AddressRefusedError:
        scheme, mark, rest = url.partition("://")
        if not mark:
            return _USER_INFO.sub(r"\1//", url)
        # Malformed: the last @ before the path ends the user's part, however many there are.
        shown, question, query = rest.partition("?")
        host, slash, path = shown.rpartition("@")[2].partition("/")
        return f"{scheme}://{host}{slash}{path}{question}{_masked(query)}"


def _target(parts: SplitResult) -> str:
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/"
    return f"{path}?{quote(parts.query, safe='/?%:@!$&()*+,;=~-._[]')}" if parts.query else path


def _credentials(parts: SplitResult) -> Credentials | None:
    if parts.username is None:
        return None
    return Credentials(unquote(parts.username), unquote(parts.password or ""))


def _masked(query: str) -> str:
    return "".join(_masked_pair(piece) if piece not in "&;" else piece for piece in re.split(r"([&;])", query))


def _masked_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    plain = unquote(value)
    if equals and value and (_SECRET_NAME.search(unquote(name)) or _LONG_VALUE.search(plain) or "@" in plain):
        return f"{name}={_MASK}"
    # A query without a name, such as "?d41d8cd9...", may be a token as a whole.
    return _MASK if not equals and _LONG_VALUE.search(unquote(pair)) else pair
