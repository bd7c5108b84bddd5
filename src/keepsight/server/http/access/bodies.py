"""Request bodies that a route reads as a stream, because they are too large to buffer."""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from keepsight.errors import TooLargeError


@dataclass(frozen=True)
class StreamedBody:
    """Streamed bodies of one route.

    Attributes:
        method: HTTP method in upper case.
        path: pattern of request paths.
        max_bytes: size limit; None for an unbounded body.
    """

    method: str
    path: re.Pattern[str]
    max_bytes: int | None

    def fits(self, scope: Scope) -> bool:
        """Whether a request has a streamed body."""
        return scope["method"] == self.method and self.path.fullmatch(scope["path"]) is not None

    def paced(self, scope: Scope, receive: Receive, seconds: float) -> Receive:
        """Wrap `receive` with the size limit and an idle timeout.

        Args:
            scope: ASGI scope of the request.
            receive: ASGI receive of the request.
            seconds: idle timeout.

        Raises:
            HTTPException: 408 on timeout; 413 if the body is too large.
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
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"request body timed out after {seconds:g} s") from None
            num_bytes += len(message.get("body", b""))
            has_ended = message["type"] != "http.request" or not message.get("more_body", False)
            if max_bytes is not None and num_bytes > max_bytes:
                raise _too_large(max_bytes)
            return message

        return received


CHUNK_BYTES = 8 << 20
"""Size limit of an upload chunk."""

STREAMED_BODIES = (
    StreamedBody("PATCH", re.compile("/v1/uploads/[^/]+"), CHUNK_BYTES),
    StreamedBody("POST", re.compile("/v1/streams/[^/]+/frames"), None),
)


def _too_large(max_bytes: int | None) -> TooLargeError:
    return TooLargeError(f"request body must be at most {max_bytes} bytes")
