"""The body of a request taken apart into messages, in the format of `sources.messages`, as it comes."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException

from keepsight.errors import VideoError
from keepsight.sources.messages import MAX_LINE_BYTES

_PIXEL_BYTES = 3


async def whole_body(pieces: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """The content of a body.

    Raises:
        HTTPException: 413, it is larger than `max_bytes`.
    """
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > max_bytes:
            message = f"a pushed picture has at most {max_bytes} bytes"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return bytes(content)


@dataclass(frozen=True)
class WholeMessage:
    """A message as it came.

    Attributes:
        is_frame: whether it has pixels.
        content: its line, and the pixels.
    """

    is_frame: bool
    content: bytes


class MessageBody:
    """Reads the messages of a body.

    Args:
        pieces: the body as it comes.
        max_pixels: of a frame.
    """

    def __init__(self, pieces: AsyncIterator[bytes], max_pixels: int) -> None:
        self._pieces = pieces
        self._max_pixels = max_pixels
        self._waiting = bytearray()

    async def messages(self) -> AsyncIterator[WholeMessage]:
        """All messages, each once it is whole.

        Raises:
            VideoError: what comes is no message, or the last one is cut off.
            HTTPException: 413, a frame or a line is too large.
        """
        while line := await self._line():
            num_pixel_bytes = self._num_pixel_bytes(line)
            yield WholeMessage(num_pixel_bytes > 0, line + await self._exactly(num_pixel_bytes))

    async def _line(self) -> bytes:
        """The next line with its newline; empty at the end."""
        searched = 0
        while (end := self._waiting.find(b"\n", searched)) < 0:
            if len(self._waiting) > MAX_LINE_BYTES:
                break
            searched = len(self._waiting)
            if not await self._more():
                if self._waiting:
                    raise VideoError("the last message is cut off")
                return b""
        if not 0 <= end < MAX_LINE_BYTES:
            message = f"a line has at most {MAX_LINE_BYTES} bytes"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        return self._taken(end + 1)

    async def _exactly(self, count: int) -> bytes:
        while len(self._waiting) < count:
            if not await self._more():
                raise VideoError("the last message is cut off")
        return self._taken(count)

    async def _more(self) -> bool:
        piece = await anext(self._pieces, None)
        self._waiting += piece or b""
        return piece is not None

    def _taken(self, count: int) -> bytes:
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken

    def _num_pixel_bytes(self, line: bytes) -> int:
        """Of the pixels behind a line. What else is wrong with the line is said by who reads the whole message."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise VideoError("a message is one line of JSON; something else came") from error
        if not isinstance(values, dict) or values.get("type") != "frame":
            return 0
        width, height = values.get("width"), values.get("height")
        if not (type(width) is int and type(height) is int and width > 0 and height > 0):
            raise VideoError("a frame has a height and a width above 0")
        if width * height > self._max_pixels:
            message = f"a pushed frame has at most {self._max_pixels} pixels"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        return width * height * _PIXEL_BYTES
