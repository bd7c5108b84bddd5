"""Size and time limits of request bodies (413, 408)."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.server.http.access.bodies import STREAMED_BODIES
from keepsight.server.http.failures import error_response


class BodyLimit:
    """Buffers a request's body before the application sees it, within size and time limits.

    Streamed bodies (`bodies`) have their own limits.

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
