"""Size and time limits of request bodies (413, 408): most are buffered whole, some are read by a route as a stream."""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.errors import TooLargeError
from keepsight.server.http.failures import error_response


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


class BodyLimit:
    """Buffers a request's body before the application sees it, within size and time limits.

    Streamed bodies have their own limits.

    Args:
        app: receives the whole body.
        max_bytes: size limit.
        seconds: time limit.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        streamed = next((one for one in STREAMED_BODIES if one.fits(scope)), None)
        if streamed is not None:
            await self._app(scope, streamed.paced(scope, receive, self._seconds), send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._whole_body(scope, receive)
        except TimeoutError:
            response = error_response(HTTPStatus.REQUEST_TIMEOUT, f"request body timed out after {self._seconds:g} s")
            await response(scope, receive, send)
            return
        if body is None:
            message = f"request body must be at most {self._max_bytes} bytes"
            await error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def received() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, received, send)

    async def _whole_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, or None if it is too large."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes:
            return None
        body = bytearray()
        more = True
        while more and len(body) <= self._max_bytes:
            message = await receive()
            body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
        return None if len(body) > self._max_bytes else bytes(body)
