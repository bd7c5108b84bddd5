"""RTSP messages before media flows (RFC 2326, sections 4, 6, 7 and 10.12), parsed strictly.

A server's response is not forwarded but rewritten: status, the headers that a player needs, and a body of the stated
length. `Location` is dropped, and so are headers that switch FFmpeg to dialects of old servers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 32_768
"""Size limit of the first line and headers."""

MAX_BODY_BYTES = 262_144
"""Size limit of a body: a session description takes a few hundred bytes."""

_MOST_SKIPPED_MESSAGES = 1000
_PASSED_HEADERS = (
    "CSeq",
    "Session",
    "Transport",
    "Content-Type",
    "Content-Base",
    "WWW-Authenticate",
    "Public",
    "Range",
    "RTP-Info",
)
_STATUS_LINE = re.compile(r"RTSP/1\.[01] ([1-5]\d\d)(?: .*)?")
_UNSUPPORTED_TRANSPORT = 461
_TCP = re.compile(r"/TCP\b|\binterleaved=", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,9}")


class MalformedRtspError(Exception):
    """A malformed or forbidden RTSP message; the relay converts it to an error of `keepsight.errors`."""


@dataclass(frozen=True)
class RtspMessage:
    """A request or response.

    Attributes:
        first_line: without line end.
        headers: lower-case names, each with its values in order.
        body: empty if there is none.
        raw: the message as received.
    """

    first_line: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    raw: bytes

    @property
    def first_word(self) -> str:
        """Method of a request, or version of a response."""
        return self.first_line.partition(" ")[0]

    @property
    def status(self) -> int | None:
        """Status of a response; None for a request."""
        match = _STATUS_LINE.fullmatch(self.first_line)
        return int(match[1]) if match else None


class RtspConversation:
    """Reads messages from a connection.

    Args:
        receive: returns up to a number of bytes; empty at the end.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()

    def message(self) -> RtspMessage | None:
        """Next message; None if the peer closed before it.

        Raises:
            MalformedRtspError: it is malformed or too long.
            OSError: the connection was lost.
        """
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > MAX_HEAD_BYTES or not self._fill():
                if not self._buffer:
                    return None
                raise MalformedRtspError("the server does not speak RTSP")
        head = bytes(self._buffer[: self._buffer.index(b"\r\n\r\n") + 4])
        first_line, headers = _split(head)
        length_text = headers.get("content-length", ("0",))[0]
        if not _NUMBER.fullmatch(length_text) or int(length_text) > MAX_BODY_BYTES:
            raise MalformedRtspError(f"the server's responses exceed {MAX_BODY_BYTES} bytes")
        body = self._take(len(head) + int(length_text))[len(head) :]
        return RtspMessage(first_line, headers, body, head + body)

    def reply(self) -> RtspMessage:
        """Next final response; interleaved media before it and server requests are skipped.

        Raises:
            MalformedRtspError: it is not a response.
            OSError: the connection was lost.
        """
        for _ in range(_MOST_SKIPPED_MESSAGES):
            if not self._buffer and not self._fill():
                raise MalformedRtspError("the server closed the connection")
            if self._buffer[0] == ord("$"):  # interleaved data (section 10.12): a channel and a length
                header = self._take(4, keep=True)
                self._take(4 + int.from_bytes(header[2:4], "big"))
                continue
            message = self.message()
            if message is None:
                raise MalformedRtspError("the server closed the connection")
            if message.status is not None and message.status >= 200:
                return message
            if message.status is None and not message.first_line.endswith(" RTSP/1.0"):
                raise MalformedRtspError("the server does not speak RTSP")
        raise MalformedRtspError("the server does not respond")

    def take_rest(self) -> bytes:
        """Bytes after the last message."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _fill(self) -> bool:
        data = self._receive(4096)
        self._buffer += data
        return bool(data)

    def _take(self, num_bytes: int, *, keep: bool = False) -> bytes:
        while len(self._buffer) < num_bytes:
            if not self._fill():
                raise MalformedRtspError("the server closed the connection during a response")
        taken = bytes(self._buffer[:num_bytes])
        if not keep:
            del self._buffer[:num_bytes]
        return taken


def check_transport(reply: RtspMessage) -> None:
    """Check that a SETUP response agrees to send media over this connection (section 10.4).

    Raises:
        MalformedRtspError: it refuses, or offers UDP.
    """
    transport = " ".join(reply.headers.get("transport", ()))
    is_refused = reply.status == _UNSUPPORTED_TRANSPORT
    if is_refused or (reply.status == 200 and transport and not _TCP.search(transport)):
        why = "461 Unsupported Transport" if is_refused else f"it answered {transport.partition(';')[0][:40]!r}"
        raise MalformedRtspError(f"the server offers only UDP, but Keepsight needs RTSP over TCP ({why})")


def checked_reply(reply: RtspMessage) -> bytes:
    """A server's response as passed to FFmpeg.

    Raises:
        MalformedRtspError: it is a redirect.
    """
    if reply.status is None or 300 <= reply.status < 400:
        raise MalformedRtspError("the server redirects; give the address it redirects to")
    lines = [f"RTSP/1.0 {reply.status} Status"]
    for name in _PASSED_HEADERS:
        lines += [f"{name}: {value}" for value in reply.headers.get(name.lower(), ())]
    if reply.body:
        lines.append(f"Content-Length: {len(reply.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body


def _split(head: bytes) -> tuple[str, dict[str, tuple[str, ...]]]:
    first_line, *lines = head[:-4].decode("latin-1").split("\r\n")
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or any(ord(character) < 32 and character != "\t" for character in line):
            raise MalformedRtspError("the server does not speak RTSP")
        headers[name.strip().lower()] = (*headers.get(name.strip().lower(), ()), value.strip())
    if not all(ord(character) >= 32 for character in first_line):
        raise MalformedRtspError("the server does not speak RTSP")
    return first_line, headers
