"""HTTP client: checks every address, redirects included; sends credentials to the first host only.

Proxy variables of the environment (HTTP_PROXY and others) are ignored: connections are pinned to the checked address.
"""

import ssl
from base64 import b64encode
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from time import monotonic

from keepsight.errors import NotAVideoError, SourceStalledError, SourceUnreachableError
from keepsight.sources.network.connections import PinnedConnection, Timeouts
from keepsight.sources.network.digest import DigestChallenge, read_challenge
from keepsight.sources.network.guard import Guard, ResolvedAddress
from keepsight.sources.network.responses import Response, checked, reason_of
from keepsight.sources.network.urls import SourceUrl

MAX_REDIRECTS = 5
"""Redirect limit per request."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WEB_SCHEMES = frozenset({"http", "https"})
_DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True)
class ByteRange:
    """Requested byte range, from `start` up to but excluding `end`; None for all that follow."""

    start: int
    end: int | None = None

    def __str__(self) -> str:
        return f"bytes={self.start}-{'' if self.end is None else self.end - 1}"


class Fetcher:
    """HTTP client for one source. One request at a time; no connection is kept open in between.

    A host is resolved once, and again only after a failed connection; its addresses are checked each time.

    Args:
        guard: checks hosts before connecting.
        timeouts: timeouts.
        tls: how certificates are verified; None for the system's authorities.
    """

    def __init__(self, guard: Guard, timeouts: Timeouts = _DEFAULT_TIMEOUTS, tls: ssl.SSLContext | None = None) -> None:
        self.timeouts = timeouts
        self._guard = guard
        self._tls = tls
        self._resolved: dict[tuple[str, int], ResolvedAddress] = {}
        self._challenges: dict[tuple[str, int], DigestChallenge] = {}

    def get(self, url: SourceUrl, wanted: ByteRange | None = None, *, if_range: str | None = None) -> Response:
        """Request a resource and read the response's head, following redirects.

        Args:
            url: resource to get.
            wanted: requested range; a server may still send the whole (status 200).
            if_range: an entity tag or date; the server sends the whole if the resource changed.

        Raises:
            AddressRefusedError: the address, or a redirect's, is not allowed.
            SourceNotFoundError: status 404 or 410.
            SourceUnreachableError: unreachable, or another error status.
            SourceStalledError: timeout.
            NotAVideoError: the response is compressed.
            TruncatedVideoError: the requested range starts beyond the end.
        """
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(url, wanted, if_range)
            if response.status not in _REDIRECTS:
                return checked(response)
            with response:
                target = response.headers.get("Location")
            if not target:
                raise SourceUnreachableError(f"{url} redirects without a Location header")
            url = url.join(target)
        raise SourceUnreachableError(f"{url} redirects more than {MAX_REDIRECTS} times")

    def get_bytes(self, url: SourceUrl, most_bytes: int, wanted: ByteRange | None = None) -> tuple[bytes, SourceUrl]:
        """Whole resource or range, and its final URL.

        Raises:
            NotAVideoError: it exceeds `most_bytes`.
            SourceStalledError: it exceeds `timeouts.body_seconds`.
            SourceUnreachableError: the server does not support the requested range.
            VideoError: as `get` and `Response.read`.
        """
        num_wanted = None if wanted is None or wanted.end is None else wanted.end - wanted.start
        ends = monotonic() + self.timeouts.body_seconds
        body = bytearray()
        with self.get(url, wanted) as response:
            if wanted is not None and wanted.start and response.status == HTTPStatus.OK:
                raise SourceUnreachableError(f"{response.url} does not support range requests")
            while (num_wanted is None or len(body) < num_wanted) and (data := response.read()):
                body += data
                if len(body) > max(most_bytes, num_wanted or 0) or (num_wanted or 0) > most_bytes:
                    raise NotAVideoError(f"{response.url} must be at most {most_bytes} bytes")
                if monotonic() > ends:
                    raise SourceStalledError(f"{response.url} timed out after {self.timeouts.body_seconds:g} s")
            return bytes(body[:num_wanted]), response.url

    def _ask(self, url: SourceUrl, wanted: ByteRange | None, if_range: str | None) -> Response:
        """Request, and again if the server demands Digest authentication."""
        response = self._ask_once(url, wanted, if_range)
        if response.status != HTTPStatus.UNAUTHORIZED or url.credentials is None:
            return response
        challenge = read_challenge(response.headers.get_all("WWW-Authenticate", []))
        if challenge is None:
            return response
        with response:
            self._challenges[url.host, url.port] = challenge
        return self._ask_once(url, wanted, if_range)

    def _ask_once(self, url: SourceUrl, wanted: ByteRange | None, if_range: str | None) -> Response:
        url.require(_WEB_SCHEMES)
        headers = _headers(wanted, if_range) | self._authorization(url)
        connection = self._connect(url)
        try:
            connection.request("GET", url.target, headers=headers)
            response = connection.getresponse()
        except TimeoutError as error:
            connection.close()
            raise SourceStalledError(f"{url} timed out") from error
        except (OSError, HTTPException) as error:
            connection.close()
            raise SourceUnreachableError(f"{url} did not respond: {reason_of(error)}") from error
        connection.open_body()
        return Response(url, response, connection)

    def _authorization(self, url: SourceUrl) -> dict[str, str]:
        if url.credentials is None:
            return {}
        if challenge := self._challenges.get((url.host, url.port)):
            return {"Authorization": challenge.answer(url.credentials, url.target)}
        pair = f"{url.credentials.user}:{url.credentials.password}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}

    def _connect(self, url: SourceUrl) -> PinnedConnection:
        key = (url.host, url.port)
        address = self._resolved.get(key) or self._guard.resolve(url.host, url.port)
        if url.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        connection = PinnedConnection(address, self.timeouts, self._tls if url.scheme == "https" else None)
        try:
            connection.connect()
        except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot encode
            self._resolved.pop(key, None)
            connection.close()
            raise SourceUnreachableError(f"cannot connect to {url}: {reason_of(error)}") from error
        self._resolved[key] = address
        return connection


def _headers(wanted: ByteRange | None, if_range: str | None) -> dict[str, str]:
    headers = {"User-Agent": "keepsight", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    if wanted is not None:
        headers["Range"] = str(wanted)
        if if_range is not None:
            headers["If-Range"] = if_range
    return headers
