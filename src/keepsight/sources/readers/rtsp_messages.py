"""What is said over RTSP before pictures flow (RFC 2326, sections 4, 6, 7 and 10.12), read strictly.

A server's answer is not passed on as it came but written anew: its status, the headers that a player needs, and a
body of the length that was said. `Location` is not among them, and neither is what makes FFmpeg turn to the dialects of
old servers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 32_768
"""Longest first line with its headers."""

MAX_BODY_BYTES = 262_144
"""Longest body: a description of a session takes some hundred bytes."""

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
_NUMBER = re.compile(r"\d{1,9}")


class MalformedRtspError(Exception):
    """What came is no RTSP, or is not allowed; the relay turns it into an error of `keepsight.errors`."""


@dataclass(frozen=True)
class RtspMessage:
    """A request or an answer.

    Attributes:
        first_line: without its end.
        headers: names in lower case, each with its lines in order.
        body: empty where there is none.
        raw: all of it, as it came.
    """

    first_line: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    raw: bytes

    @property
    def first_word(self) -> str:
        """A request's method, or an answer's version."""
        return self.first_line.partition(" ")[0]

    @property
    def status(self) -> int | None:
        """An answer's status; None where it is no answer."""
        match = _STATUS_LINE.fullmatch(self.first_line)
        return int(match[1]) if match else None


class RtspConversation:
    """Reads messages from a connection.

    Args:
        receive: so many bytes at most; empty at the end.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()

    def message(self) -> RtspMessage | None:
        """The next message; None where the other side has ended before it.

        Raises:
            MalformedRtspError: it is none, or too long.
            OSError: the connection broke.
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
            raise MalformedRtspError(f"the server's answers are longer than {MAX_BODY_BYTES} bytes")
        body = self._take(len(head) + int(length_text))[len(head) :]
        return RtspMessage(first_line, headers, body, head + body)

    def reply(self) -> RtspMessage:
        """The next final answer; pictures that come before it, and the server's own requests, are passed over.

        Raises:
            MalformedRtspError: what comes is no answer.
            OSError: the connection broke.
        """
        for _ in range(_MOST_SKIPPED_MESSAGES):
            if not self._buffer and not self._fill():
                raise MalformedRtspError("the server ended the connection")
            if self._buffer[0] == ord("$"):  # interleaved data (section 10.12): a channel and a length
                header = self._take(4, keep=True)
                self._take(4 + int.from_bytes(header[2:4], "big"))
                continue
            message = self.message()
            if message is None:
                raise MalformedRtspError("the server ended the connection")
            if message.status is not None and message.status >= 200:
                return message
            if message.status is None and not message.first_line.endswith(" RTSP/1.0"):
                raise MalformedRtspError("the server does not speak RTSP")
        raise MalformedRtspError("the server does not answer")

    def take_rest(self) -> bytes:
        """What came behind the last message."""
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
                raise MalformedRtspError("the server ended the connection in the middle of an answer")
        taken = bytes(self._buffer[:num_bytes])
        if not keep:
            del self._buffer[:num_bytes]
        return taken


def checked_reply(reply: RtspMessage) -> bytes:
    """An answer of a server as FFmpeg is to see it.

    Raises:
        MalformedRtspError: it is a redirect.
    """
    if reply.status is None or 300 <= reply.status < 400:
        raise MalformedRtspError("the server redirects to another address, which is not followed")
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
