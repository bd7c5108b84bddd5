"""A file whose content is put in message by message."""

import io
import threading
import time
from collections import deque
from io import BytesIO

from keepsight.errors import SourceStalledError

_MOST_WAITING = 2


class MessagePipe(io.BufferedIOBase):
    """A file for one reader whose content is put in message by message; a few may wait."""

    def __init__(self) -> None:
        self.silence_seconds: float | None = None
        self._waiting: deque[bytes] = deque()
        self._present = BytesIO()
        self._is_over = False
        self._changed = threading.Condition()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is read."""
        return self._is_over

    def put(self, message: bytes, until: float) -> bool:
        """Add a whole message when there is room; False where there was none by a time of the monotonic clock."""
        with self._changed:
            seconds = max(0.0, until - time.monotonic())
            self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING or self._is_over, seconds)
            if len(self._waiting) >= _MOST_WAITING or self._is_over:
                return False
            self._waiting.append(message)
            self._changed.notify_all()
            return True

    def readline(self, size: int | None = -1, /) -> bytes:
        """See `io.IOBase`: of the message at hand, or the next one.

        Raises:
            SourceStalledError: none came for too long.
        """
        return self._present.readline(size) or self._next().readline(size)

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io.BufferedIOBase`: of the message at hand."""
        return self._present.read(size)

    def close(self) -> None:
        """From any thread: nothing more is put in or read."""
        with self._changed:
            self._is_over = True
            self._waiting.clear()
            self._changed.notify_all()

    def _next(self) -> BytesIO:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting) or self._is_over, self.silence_seconds):
                raise SourceStalledError(f"no frame was pushed for {self.silence_seconds:g} s")
            self._present = BytesIO(self._waiting.popleft() if self._waiting else b"")
            self._changed.notify_all()
            return self._present
