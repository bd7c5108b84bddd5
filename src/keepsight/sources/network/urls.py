"""URLs of sources, with their secrets separated.

A camera's URL often has its password, and a server's a token. Errors, logs and pages show such a URL only as
`SourceUrl.display`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from keepsight.errors import AddressRefusedError

DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
"""Supported schemes and their ports."""

MAX_URL_CHARACTERS = 8192
"""Length limit of a URL."""

_SECRET_NAME = re.compile(
    r"(^|[^a-z])(sig|key|pwd|pw|pin|sid|jwt|hmac|st|se|sp|sv|sr|user|usr|login|policy|hdn[a-z]*|x-amz-.*)($|[^a-z])"
    r"|token|key|signature|secret|passw|passphrase|auth|credential|session|access|ticket|nonce|hash",
    re.IGNORECASE,
)
_LONG_VALUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{20,}")
_ODD_CHARACTER = re.compile(r"[\x00-\x20\x7f\\]")
_MASK = "***"
# Cameras with "user=admin_password=..." in the path are common. A value ends at the next name, or with its segment.
_SECRET_IN_PATH = re.compile(
    r"((?:^|[/_&;,:!$-])(?:user(?:name)?|usr|login|pass(?:w(?:or)?d)?|passphrase|pwd|pw|pin|token|key|auth|secret)=)"
    r"([^/?#]*?)(?=[_&;,!$-][A-Za-z][A-Za-z0-9]*=|[/?#]|$)",
    re.IGNORECASE,
)
_PORT_OR_SECRET = re.compile(r":(?!\d{0,5}$)[^\]]*$")
_HOST_BEHIND_SEGMENT = re.compile(r"[^/@]+@[^/]*[.:][^/]*/")
_USER_AND_PASSWORD = re.compile(r":.*@|//[^/]*@", re.DOTALL)


@dataclass(frozen=True, repr=False)
class Credentials:
    """User name and password, decoded. Never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


@dataclass(frozen=True, repr=False)
class SourceUrl:
    """A parsed URL. Made by `parse_url`.

    Attributes:
        scheme: one of `DEFAULT_PORTS`.
        host: host without brackets, lower case.
        port: 1 to 65535.
        target: path and query as sent, percent-encoded.
        credentials: credentials for this host only, or None.
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
        """URL without user, password, and likely secrets in its query."""
        path, mark, query = self.target.partition("?")
        return f"{self.scheme}://{self.netloc}{_masked_path(path)}{mark}{_masked(query)}"

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    def require(self, schemes: Collection[str]) -> None:
        """Check that the scheme is one of the given ones.

        Raises:
            AddressRefusedError: it is not.
        """
        if self.scheme not in schemes:
            raise AddressRefusedError(f"scheme must be {' or '.join(sorted(schemes))} here, got {self.display}")

    def join(self, reference: str) -> "SourceUrl":
        """Resolve a URL reference from a redirect or playlist at this URL.

        Credentials carry over only to the same host, port and scheme, or from http to https on the same host;
        credentials in the reference are dropped.

        Raises:
            AddressRefusedError: it is not allowed.
        """
        try:
            joined = urljoin(f"{self.scheme}://{self.netloc}{self.target}", reference)
        except ValueError:
            raise AddressRefusedError(f"{self.display} leads to a malformed address") from None
        # urljoin accepts unknown schemes, and silently drops what parse_url would refuse.
        if _ODD_CHARACTER.search(reference.strip()):
            raise AddressRefusedError(
                f"{self.display} leads to an address with spaces, control characters or backslashes"
            )
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
    """Parse a URL.

    Raises:
        AddressRefusedError: its scheme is not supported, or it is malformed. The message shows no secret.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise AddressRefusedError(f"an address must have at most {MAX_URL_CHARACTERS} characters, got {len(url)}")
    if _ODD_CHARACTER.search(url):  # urlsplit would drop some of them silently
        raise AddressRefusedError("an address must not have spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message, and so the exception chain, may contain the password
        raise AddressRefusedError(
            "the address is malformed: its host or port is invalid; write scheme://host[:port]/path"
        ) from None
    scheme = parts.scheme
    if scheme not in DEFAULT_PORTS:
        allowed = ", ".join(DEFAULT_PORTS)
        raise AddressRefusedError(f"an address must start with one of {allowed}, got {scheme[:20]!r}")
    if _may_hold_password_behind_host(parts):
        raise AddressRefusedError(
            "the address has an @ after its host: in a password, write @ / ? # as %40 %2F %3F %23, or give the "
            "password separately; elsewhere, write @ as %40"
        )
    if not parts.hostname or port == 0:
        raise AddressRefusedError(f"the address must be {scheme}://host[:port]/path, got no host, or port 0")
    return SourceUrl(scheme, parts.hostname, port or DEFAULT_PORTS[scheme], _target(parts), _credentials(parts))


def strip_credentials(url: str) -> str:
    """Displayable URL: see `SourceUrl.display`. Text that is not a network URL is returned unchanged."""
    try:
        return parse_url(url).display
    except AddressRefusedError:
        scheme, mark, rest = url.partition("://")
        if not mark:
            return f"//{_behind_password(url)}" if url.startswith("//") and "@" in url else url
        # Malformed: everything before the last @ may be the password.
        shown, question, query = _behind_password(rest).partition("?")
        host, slash, path = shown.partition("/")
        return (
            f"{scheme}://{_PORT_OR_SECRET.sub(f':{_MASK}', host)}{slash}{_masked_path(path)}{question}{_masked(query)}"
        )


def is_secret_name(name: str) -> bool:
    """Whether a name is one of a password, token or key."""
    return _SECRET_NAME.search(name) is not None


def secret_values(path_and_query: str) -> set[str]:
    """Values in a path and query that are displayed as `***`."""
    path, _, query = path_and_query.partition("?")
    in_path = {found.group(2) for found in _SECRET_IN_PATH.finditer(path)}
    pairs = [piece for piece in re.split("[&;]", query) if _masked_pair(piece) != piece]
    return in_path | {pair.partition("=")[2] or pair for pair in pairs}


def looks_like_credentials(text: str) -> bool:
    """Whether text that is no URL may contain a password, like a mistyped URL."""
    return _USER_AND_PASSWORD.search(text) is not None or _masked_path(text) != text


def with_credentials(url: str, credentials: Credentials) -> str:
    """URL with user and password; unchanged if it has its own.

    Raises:
        AddressRefusedError: as for `parse_url`.
    """
    if parse_url(url).credentials is not None:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(credentials.user, safe='')}:{quote(credentials.password, safe='')}@{rest}"


def _behind_password(rest: str) -> str:
    return rest.rpartition("@")[2]


def _may_hold_password_behind_host(parts: SplitResult) -> bool:
    """Whether an unescaped / ? or # in a password ended the host too early, so that the rest would be shown."""
    behind = f"{parts.path}?{parts.query}#{parts.fragment}"
    if "@" not in behind:
        return False
    is_odd = parts.path == "" or "@" in parts.netloc or ":" in parts.netloc.rpartition("]")[2]
    return is_odd or _HOST_BEHIND_SEGMENT.search(parts.path) is not None


def _target(parts: SplitResult) -> str:
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/"
    return f"{path}?{quote(parts.query, safe='/?%:@!$&()*+,;=~-._[]')}" if parts.query else path


def _credentials(parts: SplitResult) -> Credentials | None:
    if parts.username is None:
        return None
    return Credentials(unquote(parts.username), unquote(parts.password or ""))


def _masked_path(path: str) -> str:
    return _SECRET_IN_PATH.sub(rf"\1{_MASK}", path)


def _masked(query: str) -> str:
    return "".join(_masked_pair(piece) if piece not in "&;" else piece for piece in re.split(r"([&;])", query))


def _masked_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    plain = unquote(value)
    if equals and value and (_SECRET_NAME.search(unquote(name)) or _LONG_VALUE.search(plain) or "@" in plain):
        return f"{name}={_MASK}"
    # A query without a name, such as "?d41d8cd9...", may be a token.
    is_token = not equals and (_LONG_VALUE.search(unquote(pair)) or "@" in unquote(pair))
    return _MASK if is_token else _masked_path(pair)
