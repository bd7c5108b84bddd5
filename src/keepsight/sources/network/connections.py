"""Connections to a checked address, with timeouts and limits on response headers.

`http.client` implements the protocol; it only gets its socket here. Proxy variables of the environment are not read: a
proxy would choose the address elsewhere.
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
"""Size limit of a response head: status line and headers. `http.client` also limits headers to 100."""

_READ_BYTES = 8192


@dataclass(frozen=True)
class Timeouts:
    """Timeouts for a server, in seconds, each above 0.

    Attributes:
        connect_seconds: connecting, and again the TLS handshake.
        read_seconds: next byte.
        head_seconds: complete response head.
        body_seconds: complete playlist or segment; files have no such limit.
        pause_seconds: pause before reconnecting, doubled each time.

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
                raise SettingError(f"{name} must be a number of seconds above 0, got {seconds}")


class _LimitedReads(io.RawIOBase):
    """Raw socket reads, limited in size and time until `open_body`."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, timeouts: Timeouts) -> None:
        self._raw = raw
        self._socket = sock
        self._read_seconds = timeouts.read_seconds
        self._head_ends = monotonic() + timeouts.head_seconds
        # The buffered reader reads past the head, so allow that much more.
        self._head_bytes = MAX_HEAD_BYTES + _READ_BYTES
        self._is_body = False

    def open_body(self) -> None:
        """Lift the head's limits."""
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
                raise ConnectionError(f"the response's headers exceed {MAX_HEAD_BYTES} bytes")
            if monotonic() > self._head_ends:
                raise TimeoutError("the response's headers timed out")
        return int(count or 0)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedSocket:
    """The subset of a socket that `http.client` uses."""

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
    """Connection to one checked IP address; Host header and certificate check use the host name.

    Args:
        address: checked address.
        timeouts: timeouts.
        tls: context for https that verifies the host name; None for http.
    """

    def __init__(self, address: ResolvedAddress, timeouts: Timeouts, tls: ssl.SSLContext | None) -> None:
        super().__init__(address.host, address.port, timeout=timeouts.connect_seconds)
        if tls is not None:
            self.default_port = 443  # otherwise the Host header would include it
        self._address = address
        self._timeouts = timeouts
        self._tls = tls
        self._limited: _LimitedSocket | None = None

    def connect(self) -> None:
        """Connect to the checked address, whatever its name resolves to now."""
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
        """Lift the limits of the response head."""
        if self._limited is not None and self._limited.reads is not None:
            self._limited.reads.open_body()
