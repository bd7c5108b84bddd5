"""Reading what another process writes, for no longer than it may take."""

import os
import select
import time
from typing import IO

_CHUNK_BYTES = 1 << 20


class WorkerPipe:
    """A pipe that is read in lines and in numbers of bytes.

    Args:
        file: the end to read from; nobody else reads it.

    Attributes:
        wait_until: `time.monotonic()` until which bytes are waited for; after that `TimeoutError` is raised.
        is_at_end: whether whoever wrote into it has closed it, or died.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)
        self._buffer = bytearray()
        self.wait_until = 0.0
        self.is_at_end = False

    def read_line(self, max_bytes: int) -> bytes:
        """Up to the next newline or as much as there is, at most so many bytes."""
        while (end := self._buffer.find(b"\n", 0, max_bytes)) < 0 and len(self._buffer) < max_bytes:
            if not self._fill():
                break
        return self._take(end + 1 if end >= 0 else max_bytes)

    def read_exactly(self, num_bytes: int) -> bytes:
        """So many bytes, fewer at the end only."""
        while len(self._buffer) < num_bytes and self._fill():
            continue
        return self._take(num_bytes)

    def _take(self, num_bytes: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:num_bytes])
        del self._buffer[:num_bytes]
        return taken

    def _fill(self) -> bool:
        if not self._poll.poll(max(0.0, 1000 * (self.wait_until - time.monotonic()))):
            raise TimeoutError
        chunk = os.read(self._file.fileno(), _CHUNK_BYTES)
        self._buffer += chunk
        self.is_at_end = not chunk
        return bool(chunk)
