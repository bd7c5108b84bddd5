"""A remote file as a file object for FFmpeg."""

import io
import re
from http import HTTPStatus
from time import sleep
from typing import Any

from keepsight.errors import SourceUnreachableError, TruncatedVideoError, VideoError
from keepsight.sources.network.fetching import ByteRange, Fetcher
from keepsight.sources.network.responses import Response
from keepsight.sources.network.stream_reading import StreamBytes
from keepsight.sources.network.urls import SourceUrl
from keepsight.video.structure import missing_bytes_of

WINDOW_BYTES = 1 << 20
"""Bytes kept behind the read position, and bytes ahead that are read through instead of reconnecting: about the cost of
a request on a fast line.
"""

MAX_RECONNECTIONS = 3
"""Reconnects with less than `_PROGRESS_BYTES` in between."""

_PROGRESS_BYTES = 65_536
_HEADER_BYTES = 64
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class RemoteFile(StreamBytes):
    """A resource read sequentially, or randomly if the server supports ranges.

    Args:
        fetcher: client; reconnects if the length is known.
        url: its URL.

    Attributes:
        size: length in bytes, or None if not stated.
        content_type: its media type, or empty.
        failure: why it ended early, or None.
        is_end_marked: whether its end is distinguishable from a lost connection, by size or chunked encoding.

    Raises:
        VideoError: as `Fetcher.get`.
    """

    def __init__(self, fetcher: Fetcher, url: SourceUrl) -> None:
        self._fetcher = fetcher
        self._url = url
        self._response: Response | None = fetcher.get(url, ByteRange(0))
        first = self._response
        placed = part_of(first)
        self._has_ranges = placed is not None and placed[0] == 0
        self.size = placed[1] if placed is not None else first.length
        self.content_type = first.content_type
        self.is_end_marked = self.size is not None or first.is_chunked
        self.may_be_live = self.size is None
        self._validator = _validator(first)
        self._window = bytearray()
        self._window_start = 0
        self._position = 0
        self._opened_at = 0
        self._num_lost = 0
        self._lost_at = 0

    def seekable(self) -> bool:
        """Whether the server supports ranges."""
        return self._has_ranges

    def tell(self) -> int:
        """Current read position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the read position; sends no request yet."""
        if not self._has_ranges or self.size is None:
            raise io.UnsupportedOperation("the server does not support range requests")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def peek(self) -> bytes:
        """First bytes without consuming them; only before the first `read`."""
        if not self._window:
            self._receive()
        return bytes(self._window)

    def is_cut_off(self) -> bool:
        """Whether the container claims more bytes than the server has; False without range support."""
        if not self._has_ranges or self.size is None:
            return False
        buffered = io.BufferedReader(self, _HEADER_BYTES)
        missing = missing_bytes_of(buffered, self.size)
        buffered.detach()
        self.seek(0)
        return missing > 0

    def readinto(self, buffer: Any) -> int:
        """Like `read`, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes as soon as any are available; empty at the end or after a failure."""
        if not self._go_to(self._position):
            return b""
        start = self._position - self._window_start
        stop = len(self._window) if size < 0 else start + size
        data = bytes(self._window[start:stop])
        self._position += len(data)
        return data

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()
            self._response = None
        super().close()

    @property
    def _window_end(self) -> int:
        return self._window_start + len(self._window)

    def _go_to(self, position: int) -> bool:
        """Bring a position's byte into the window; False if there is none."""
        if self.size is not None and position >= self.size:
            return False
        if not self._window_start <= position <= self._window_end + WINDOW_BYTES:
            self._let_go(position)
        while position >= self._window_end:
            if self.failure is not None or not self._receive():
                return False
        return True

    def _let_go(self, position: int) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None
        self._window.clear()
        self._window_start = position

    def _receive(self) -> bool:
        """Receive more bytes into the window; False at the end or after a failure."""
        if self.size is not None and self._window_end >= self.size:
            return False
        while self.failure is None:
            try:
                if self._response is None:
                    self._response = self._reopen(self._window_end)
                    self._opened_at = self._window_end
                data = self._response.read()
                if not data and self.size is not None:  # a part shorter than requested
                    self._end_part(self._response)
                    continue
            except VideoError as error:
                self._lose(error)
                continue
            self._window += data
            if len(self._window) > 2 * WINDOW_BYTES:
                self._window_start += len(self._window) - WINDOW_BYTES
                del self._window[:-WINDOW_BYTES]
            return bool(data)
        return False

    def _end_part(self, response: Response) -> None:
        if self._window_end == self._opened_at:
            raise SourceUnreachableError(f"{self._url} closed the connection")
        response.close()
        self._response = None

    def _lose(self, error: VideoError) -> None:
        """Note a lost connection; after too many, the error is final."""
        was_reading = self._response is not None
        if self._response is not None:
            self._response.close()
            self._response = None
        if self._window_end - self._lost_at >= _PROGRESS_BYTES:
            self._num_lost = 0
        self._num_lost += 1
        self._lost_at = self._window_end
        is_final = self.size is None or self._num_lost > MAX_RECONNECTIONS or isinstance(error, TruncatedVideoError)
        if is_final and was_reading and self.size is not None and isinstance(error, SourceUnreachableError):
            self.failure = TruncatedVideoError(
                f"{self._url} is truncated: the server sent {self._window_end} of its {self.size} bytes"
            )
        elif is_final:
            self.failure = error
        else:
            sleep(self._fetcher.timeouts.pause_seconds * 2 ** (self._num_lost - 1))

    def _reopen(self, position: int) -> Response:
        response = self._fetcher.get(self._url, ByteRange(position), if_range=self._validator)
        placed = part_of(response)
        if placed == (position, self.size):
            return response
        if response.status == HTTPStatus.OK and response.length == self.size and not self._has_ranges:
            return _skipped(response, position)
        response.close()
        raise TruncatedVideoError(f"{self._url} changed on the server while being read; watch it again")


def _skipped(response: Response, num_bytes: int) -> Response:
    try:
        while num_bytes:
            data = response.read(min(num_bytes, WINDOW_BYTES))
            if not data:
                raise SourceUnreachableError(f"{response.url} closed the connection")
            num_bytes -= len(data)
    except VideoError:
        response.close()
        raise
    return response


def part_of(response: Response) -> tuple[int, int] | None:
    """Start of a partial response, and size of the whole."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return None
    match = _CONTENT_RANGE.match(str(response.headers.get("Content-Range", "")))
    return None if match is None else (int(match[1]), int(match[2]))


def _validator(response: Response) -> str | None:
    """Validator for If-Range: a strong entity tag, or else a date (RFC 9110, section 13.1.5)."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
