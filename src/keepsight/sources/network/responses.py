"""Server responses."""

import ssl
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from types import TracebackType

from keepsight.errors import (
    NotAVideoError,
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
    TruncatedVideoError,
)
from keepsight.sources.network.connections import PinnedConnection
from keepsight.sources.network.urls import SourceUrl

_MISSING = frozenset({404, 410})
_PIECE_BYTES = 65_536


class Response:
    """A response whose head was read. Made by `Fetcher.get`; closed by the caller.

    Attributes:
        url: final URL.
        status: 200 or 206.
        headers: as sent.
        length: body length, or None if not stated.
        is_chunked: whether the end of the body is marked, unlike a lost connection.
    """

    def __init__(self, url: SourceUrl, response: HTTPResponse, connection: PinnedConnection) -> None:
        self.url = url
        self.status = response.status
        self.headers: HTTPMessage = response.headers
        self.is_chunked = bool(response.chunked)
        self.length = response.length
        self._received = 0
        self._response = response
        self._connection = connection

    def __enter__(self) -> "Response":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def content_type(self) -> str:
        """Media type without parameters, lower case; empty if missing."""
        return str(self.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

    def read(self, most_bytes: int = _PIECE_BYTES) -> bytes:
        """Some bytes as soon as any are available; empty at the end of the body.

        Raises:
            SourceStalledError: timeout.
            SourceUnreachableError: the connection was lost before the end.
        """
        try:
            data = self._response.read1(most_bytes)
        except TimeoutError as error:
            raise SourceStalledError(f"{self.url} timed out: nothing received") from error
        except (OSError, HTTPException) as error:
            raise SourceUnreachableError(f"the connection to {self.url} was lost: {reason_of(error)}") from error
        self._received += len(data)
        if not data and self.length is not None and self._received < self.length:
            raise SourceUnreachableError(
                f"{self.url} closed the connection after {self._received} of {self.length} bytes"
            )
        return data

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._connection.close()


def checked(response: Response) -> Response:
    """Return a successful response; close any other and raise.

    Raises:
        SourceNotFoundError, SourceUnreachableError, NotAVideoError, TruncatedVideoError: as `Fetcher.get`.
    """
    status = response.status
    encoding = str(response.headers.get("Content-Encoding", "identity")).lower()
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT) and encoding in ("identity", ""):
        return response
    response.close()
    said = f"{status} {_phrase(status)}".strip()
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise NotAVideoError(f"{response.url} is sent compressed, which is not supported")
    if status in _MISSING:
        raise SourceNotFoundError(f"{response.url} does not exist: the server returned {said}")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise TruncatedVideoError(f"{response.url} is empty, or shorter than it was (the server returned {said})")
    if status == HTTPStatus.UNAUTHORIZED:
        known = "wrong user name or password" if response.url.credentials else "user name required"
        raise SourceUnreachableError(f"{response.url} refused: {known} (the server returned {said})")
    raise SourceUnreachableError(f"cannot read {response.url}: the server returned {said}")


def _phrase(status: int) -> str:
    """Standard phrase of a status; the server's own is not quoted."""
    return next((known.phrase for known in HTTPStatus if known == status), "")


def reason_of(error: Exception) -> str:
    """Why a connection failed, without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"invalid certificate: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not an HTTP server" if isinstance(error, HTTPException) else str(error) or type(error).__name__
