"""Connections to an address that was checked, with limits on waiting and on a response's head.

`http.client` speaks the protocol and parses it; here it only gets its socket. It never reads the proxy variables of
the environment, so neither does anything here: through a proxy, another machine would choose the address.
"""

import io
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection
from math import inf
from time import monotonic
from typing import Any

from keepsight.errors import SettingError
from keepsight.sources.network.guard import ResolvedAddress

MAX_HEAD_BYTES = 65_536
"""Longest response head: status line and headers. `http.client` allows at most 100 headers besides."""

_READ_BYTES = 8192


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for a server, in seconds, each above 0.

    Attributes:
        connect_seconds: for the connection, and again for TLS.
        read_seconds: for the next byte.
        head_seconds: for the whole head of a response, however slowly it drips.
        body_seconds: for a playlist or a segment as a whole; files have no such limit.
        pause_seconds: before a lost connection is made again; twice as long each time.

    Raises:
        SettingError: one of them is not above 0.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 15.0
    head_seconds: float = 30.0
    body_seconds: float = 60.0
    pause_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name, seconds in vars(self).items():
            if not 0 < seconds < inf:
                raise SettingError(f"{name} is a number of seconds above 0, not {seconds}")


class _LimitedReads(io.RawIOBase):
    """A socket's bytes, with a limit on bytes and time until `open_body` is called."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, timeouts: Timeouts) -> None:
        self._raw = raw
        self._socket = sock
        self._read_seconds = timeouts.read_seconds
        self._head_ends = monotonic() + timeouts.head_seconds
        # The buffer around this reads past the head, so that much more may come.
        self._head_bytes = MAX_HEAD_BYTES + _READ_BYTES
        self._is_body = False

    def open_body(self) -> None:
        """The head is over."""
        self._is_body = True
        self._socket.settimeout(self._read_seconds)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._is_body:
            self._socket.settimeout(max(0.001, min(self._read_seconds, self._head_ends - monotonic())))
        count = self._raw.readinto(buffer)
        if not self._is_body:
            self._head_bytes -= count or 0
            if self._head_bytes < 0:
                raise ConnectionError(f"the response's head is longer than {MAX_HEAD_BYTES} bytes")
            if monotonic() > self._head_ends:
                raise TimeoutError("the response's head took too long")
        return int(count or 0)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedSocket:
    """As much of a socket as `http.client` uses."""

    def __init__(self, sock: socket.socket, timeouts: Timeouts) -> None:
        self._socket = sock
        self._timeouts = timeouts
        self.reads: _LimitedReads | None = None

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        raw = self._socket.makefile("rb", buffering=0)
        self.reads = _LimitedReads(raw, self._socket, self._timeouts)
        return io.BufferedReader(self.reads, _READ_BYTES)

    def close(self) -> None:
        self._socket.close()  # stays open underneath until the file made from it is closed


class PinnedConnection(HTTPConnection):
    """A connection to one checked IP address; the Host header and the certificate stay the host's.

    Args:
        address: where to connect to.
        timeouts: how long to wait.
        tls: a context for https, which verifies the host's name; None for http.
    """

    def __init__(self, address: ResolvedAddress, timeouts: Timeouts, tls: ssl.SSLContext | None) -> None:
        super().__init__(address.host, address.port, timeout=timeouts.connect_seconds)
        if tls is not None:
            self.default_port = 443  # or the Host header would name it
        self._address = address
        self._timeouts = timeouts
        self._tls = tls
        self._limited: _LimitedSocket | None = None

    def connect(self) -> None:
        """Connect to the checked address, whatever its name may resolve to by now."""
        sock = socket.create_connection((self._address.ip, self._address.port), self._timeouts.connect_seconds)
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self._address.host.partition("%")[0])
            sock.settimeout(self._timeouts.read_seconds)
        except BaseException:
            sock.close()
            raise
        self._limited = _LimitedSocket(sock, self._timeouts)
        self.sock = self._limited

    def open_body(self) -> None:
        """Lift the limits that hold for a response's head."""
        if self._limited is not None and self._limited.reads is not None:
            self._limited.reads.open_body()
