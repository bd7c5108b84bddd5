"""Hand-over of pushed frames from requests to watching threads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

from keepsight.errors import BusyError, ConflictError
from keepsight.hub.pushing.connection import PushedConnection
from keepsight.sources.messages import read_message

_PATIENCE_SECONDS, _BETWEEN_SECONDS = 10.0, 0.2


class PushPoint:
    """Hand-over point of one source, between pushing clients and the watching thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._connection: PushedConnection | None = None
        self._is_pushed_to = False

    def connect(self) -> PushedConnection:
        """Open a new connection that replaces the previous one."""
        with self._changed:
            self._connection = PushedConnection(self._name)
            self._changed.notify_all()
            return self._connection

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the push point; only one client may push at a time.

        Raises:
            ConflictError: another client holds it.
        """
        with self._changed:
            if self._is_pushed_to:
                raise ConflictError("another request is pushing frames to this stream")
            self._is_pushed_to = True
        try:
            yield
        finally:
            with self._changed:
                self._is_pushed_to = False

    def push(self, message: bytes, is_watched: Callable[[], bool]) -> None:
        """Hand over a whole message.

        Raises:
            VideoError: the message is malformed.
            ConflictError: the stream is no longer active.
            BusyError: it was not consumed in time.
        """
        content = BytesIO(message)
        read_message(content.readline, content.read)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            if not is_watched():
                raise ConflictError("the stream is not active; resume it first")
            connection = self._connection
            if connection is not None and connection.pipe.put(message, until):
                return
            with self._changed:  # between two connections
                if self._connection is connection:
                    self._changed.wait(_BETWEEN_SECONDS)
        raise BusyError("the frame was not consumed in time; try again")


class PushPoints:
    """Push points of a server by source name. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, PushPoint] = {}

    def of(self, name: str) -> PushPoint:
        """Push point of a source, created on first use."""
        with self._lock:
            return self._points.setdefault(name, PushPoint(name))

    def forget(self, name: str) -> None:
        """Drop a source's push point after its last stream was removed."""
        with self._lock:
            self._points.pop(name, None)
