"""Splits request bodies into messages (format: `sources.messages`) as they arrive."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from keepsight.errors import TooLargeError, VideoError
from keepsight.sources.messages import MAX_LINE_BYTES

_PIXEL_BYTES = 3


async def whole_body(pieces: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """Read a whole body.

    Raises:
        TooLargeError: it is larger than `max_bytes`.
    """
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > max_bytes:
            message = f"a pushed image must have at most {max_bytes} bytes"
            raise TooLargeError(message)
    return bytes(content)


@dataclass(frozen=True)
class WholeMessage:
    """A complete message.

    Attributes:
        is_frame: whether it has pixels.
        content: its line, followed by the pixels.
    """

    is_frame: bool
    content: bytes


class MessageBody:
    """Reads the messages of a body.

    Args:
        pieces: body chunks as they arrive.
        max_pixels: limit per frame.
    """

    def __init__(self, pieces: AsyncIterator[bytes], max_pixels: int) -> None:
        self._pieces = pieces
        self._max_pixels = max_pixels
        self._waiting = bytearray()

    async def messages(self) -> AsyncIterator[WholeMessage]:
        """Yield each message once it is complete.

        Raises:
            VideoError: a message is malformed, or the last one truncated.
            TooLargeError: a frame or a line is too large.
        """
        while line := await self._line():
            num_pixel_bytes = self._num_pixel_bytes(line)
            yield WholeMessage(num_pixel_bytes > 0, line + await self._exactly(num_pixel_bytes))

    async def _line(self) -> bytes:
        """Next line including its newline; empty at the end."""
        searched = 0
        while (end := self._waiting.find(b"\n", searched)) < 0:
            if len(self._waiting) > MAX_LINE_BYTES:
                break
            searched = len(self._waiting)
            if not await self._more():
                if self._waiting:
                    raise VideoError("the last message is truncated")
                return b""
        if not 0 <= end < MAX_LINE_BYTES:
            message = f"a line must have at most {MAX_LINE_BYTES} bytes"
            raise TooLargeError(message)
        return self._taken(end + 1)

    async def _exactly(self, count: int) -> bytes:
        while len(self._waiting) < count:
            if not await self._more():
                raise VideoError("the last message is truncated")
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
        """Number of pixel bytes after a line.

        Other errors in the line are reported by the reader of the whole message.
        """
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise VideoError("a message must be one line of JSON") from error
        if not isinstance(values, dict) or values.get("type") != "frame":
            return 0
        width, height = values.get("width"), values.get("height")
        if not (type(width) is int and type(height) is int and width > 0 and height > 0):
            raise VideoError("a frame's height and width must be above 0")
        if width * height > self._max_pixels:
            message = f"a pushed frame must have at most {self._max_pixels} pixels"
            raise TooLargeError(message)
        return width * height * _PIXEL_BYTES
