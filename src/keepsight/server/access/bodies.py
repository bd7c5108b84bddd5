"""Bodies that an application reads as they come, because they are too large to be waited for."""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope


@dataclass(frozen=True)
class StreamedBody:
    """The bodies of one route.

    Attributes:
        method: in capital letters.
        path: matches the paths of its requests.
        max_bytes: largest body; None where it may go on for ever.
    """

    method: str
    path: re.Pattern[str]
    max_bytes: int | None

    def fits(self, scope: Scope) -> bool:
        """Whether a request is one of these."""
        return scope["method"] == self.method and self.path.fullmatch(scope["path"]) is not None

    def paced(self, scope: Scope, receive: Receive, seconds: float) -> Receive:
        """Receives a body, and raises in the one who waits for it what the client is to be told.

        Args:
            scope: of the request.
            receive: has the body.
            seconds: longest time without a piece of it.

        Raises:
            HTTPException: 408, no piece came for so long; 413, it is too large.
        """
        max_bytes = self.max_bytes
        num_bytes, has_ended = 0, False
        announced = Headers(scope=scope).get("content-length", "")
        too_large = max_bytes is not None and announced.isdigit() and int(announced) > max_bytes

        async def received() -> Message:
            nonlocal num_bytes, has_ended
            if has_ended:
                return await receive()
            if too_large:
                raise _too_large(max_bytes)
            try:
                async with asyncio.timeout(seconds):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    HTTPStatus.REQUEST_TIMEOUT, f"nothing more of the body came for {seconds:g} s"
                ) from None
            num_bytes += len(message.get("body", b""))
            has_ended = message["type"] != "http.request" or not message.get("more_body", False)
            if max_bytes is not None and num_bytes > max_bytes:
                raise _too_large(max_bytes)
            return message

        return received


CHUNK_BYTES = 8 << 20
"""Largest chunk of an upload."""

STREAMED_BODIES = (
    StreamedBody("PATCH", re.compile("/v1/uploads/[^/]+"), CHUNK_BYTES),
    StreamedBody("POST", re.compile("/v1/streams/[^/]+/frames"), None),
)


def _too_large(max_bytes: int | None) -> HTTPException:
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {max_bytes} bytes")
