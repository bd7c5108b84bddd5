"""How much one request may bring (413), and how much may be going on at a time (429)."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.server.access.bodies import STREAMED_BODIES
from keepsight.server.failures import error_response, too_many


class Slots:
    """So many things may be going on at a time.

    Args:
        count: how many.
        what: says in the plural what they are, such as `questions are being answered`.
    """

    def __init__(self, count: int, what: str) -> None:
        self._count = count
        self._what = what
        self._lock = threading.Lock()
        self._num_taken = 0

    @property
    def num_taken(self) -> int:
        """How many there are now."""
        return self._num_taken

    def take(self) -> None:
        """Begin one.

        Raises:
            HTTPException: 429, there are as many as there may be.
        """
        with self._lock:
            if self._num_taken >= self._count:
                raise too_many(f"{self._count} {self._what}, which is the most: try again later")
            self._num_taken += 1

    def give_back(self) -> None:
        """One has ended."""
        with self._lock:
            self._num_taken -= 1

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One that ends with the block."""
        self.take()
        try:
            yield
        finally:
            self.give_back()


class BodyLimit:
    """Reads the body of a request before the application sees it, up to a size and a time.

    Those that the application reads as they come (`bodies`) have limits of their own.

    Args:
        app: gets the whole body.
        max_bytes: largest body.
        seconds: longest time that it may take to come.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
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
            response = error_response(HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {self._seconds:g} s")
            await response(scope, receive, send)
            return
        if body is None:
            message = f"the body is larger than {self._max_bytes} bytes"
            await error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def received() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, received, send)

    async def _whole_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, or None where it is too large."""
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
