"""Where requests hand over the frames that they push."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

from keepsight.server.failures import conflict, too_many
from keepsight.server.pushing.connection import PushedConnection
from keepsight.sources.messages import read_message

_PATIENCE_SECONDS, _BETWEEN_SECONDS = 10.0, 0.2


class PushPoint:
    """Where clients push the frames of one source, and the thread that watches it takes them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._connection: PushedConnection | None = None
        self._is_pushed_to = False

    def connect(self) -> PushedConnection:
        """A new connection, in place of the one before."""
        with self._changed:
            self._connection = PushedConnection(self._name)
            self._changed.notify_all()
            return self._connection

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Only one client pushes at a time.

        Raises:
            HTTPException: 409, another one does.
        """
        with self._changed:
            if self._is_pushed_to:
                raise conflict("another request is pushing frames to this stream")
            self._is_pushed_to = True
        try:
            yield
        finally:
            with self._changed:
                self._is_pushed_to = False

    def push(self, message: bytes, is_watched: Callable[[], bool]) -> None:
        """Hand over a whole message.

        Raises:
            VideoError: it is none.
            HTTPException: 409, nobody watches the stream any more; 429, nobody took it in time.
        """
        content = BytesIO(message)
        read_message(content.readline, content.read)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            if not is_watched():
                raise conflict("the stream is not being watched: resume it")
            connection = self._connection
            if connection is not None and connection.pipe.put(message, until):
                return
            with self._changed:  # between two connections
                if self._connection is connection:
                    self._changed.wait(_BETWEEN_SECONDS)
        raise too_many("nobody took the frame in time; try again")


class PushPoints:
    """The push points of a server, by the name of their source. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, PushPoint] = {}

    def of(self, name: str) -> PushPoint:
        """The point of a source, made where there is none yet."""
        with self._lock:
            return self._points.setdefault(name, PushPoint(name))

    def forget(self, name: str) -> None:
        """The last stream of a source was removed."""
        with self._lock:
            self._points.pop(name, None)
