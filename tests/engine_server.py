"""A chat server on this machine that sends what a test says, byte by byte, and keeps what it was asked."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import DEADLINE_SECONDS

KEY = "sk-top-secret-key"


@dataclass
class Sent:
    """What the server sends to one request.

    Attributes:
        parts: parts of the body, each sent at once.
        status: of the response.
        headers: further ones, or others than the usual.
        is_whole: whether the body ends as HTTP wants it; else the connection is cut after the parts.
        gate: waited for before the last part; None to send at once.
        head_gate: waited for before the response's head.
    """

    parts: Sequence[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True
    gate: threading.Event | None = None
    head_gate: threading.Event | None = None


def event(data: object) -> bytes:
    """An event with JSON, or with text as it is."""
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(text: str | None, finish_reason: str | None = None, **more: object) -> bytes:
    """An event with a piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": finish_reason}]})


DONE = event("[DONE]")


def says(*pieces: str, finish_reason: str | None = "stop") -> Sent:
    """A whole answer in pieces, as OpenAI streams it."""
    role = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    return Sent([role, *map(delta, pieces), delta(None, finish_reason), DONE])


def refuses(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> Sent:
    """A response with an error status."""
    content = json.dumps(body) if isinstance(body, dict) else body
    parts = [content if isinstance(content, bytes) else content.encode()]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Sent(parts, status, {"Content-Type": "application/json", **named})


@dataclass
class EngineServer:
    """Plays back what it sends, the last one over and over.

    Attributes:
        url: base URL, as users give it.
        sent: what is sent next.
        paths, bodies, headers: of the requests so far.
        num_left: requests whose client hung up before the end.
        left: set when one did.
    """

    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def will(self, *sent: Sent) -> None:
        """Send these from now on."""
        self.sent = list(sent)

    def asked(self) -> str:
        """What the user asked last, with the captions."""
        return str(self.bodies[-1]["messages"][-1]["content"])


@contextmanager
def engine_server() -> Iterator[EngineServer]:
    """A server for as long as the block."""
    played = EngineServer()
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            played.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            played.paths.append(self.path)
            played.headers.append(dict(self.headers))
            sent = played.sent.pop(0) if len(played.sent) > 1 else played.sent[0]
            self.close_connection = True
            if sent.head_gate is not None and not self._still_there(sent.head_gate):
                return
            with suppress(ConnectionError):  # the client has given up
                self._send(sent)

        def _send(self, sent: Sent) -> None:
            self.send_response(sent.status)
            usual = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", "Connection": "close"}
            for name, value in (usual | sent.headers).items():
                self.send_header(name, value)
            self.end_headers()
            for place, part in enumerate(sent.parts):
                if place == len(sent.parts) - 1 and sent.gate is not None and not self._still_there(sent.gate):
                    return
                if part:
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            if sent.is_whole:
                self.wfile.write(b"0\r\n\r\n")

        def _still_there(self, gate: threading.Event) -> bool:
            """Wait for a gate, or until the client hangs up."""
            self.connection.settimeout(0.02)
            while not gate.is_set() and not is_over.is_set():
                with suppress(TimeoutError, ConnectionError):
                    if not self.connection.recv(1):
                        played.left.set()
                        return False
            self.connection.settimeout(DEADLINE_SECONDS)
            return True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        played.url = f"http://127.0.0.1:{http_server.server_address[1]}/v1"
        try:
            yield played
        finally:
            is_over.set()
            http_server.shutdown()
            thread.join(DEADLINE_SECONDS)
