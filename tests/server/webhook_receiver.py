"""An HTTP server on loopback that takes webhooks, as its script says, and writes down what came."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import DEADLINE_SECONDS

PATIENCE_SECONDS = DEADLINE_SECONDS


@dataclass(frozen=True)
class Received:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def delivery_id(self) -> str:
        return self.headers["keepsight-delivery"]

    def is_signed_with(self, secret: str) -> bool:
        """As a receiver's own code would check it."""
        fields = dict(part.split("=", 1) for part in self.headers["keepsight-signature"].split(","))
        mac = hmac.new(secret.encode(), fields["t"].encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(mac, fields["v1"]) and abs(time.time() - int(fields["t"])) < 300


@dataclass
class Receiver:
    """What came, and what is answered.

    Attributes:
        port: on 127.0.0.1.
        statuses: answered one after the other; then 204 to all.
        received: all requests so far.
        headers: of every answer.
    """

    port: int
    statuses: list[int]
    received: list[Received] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def wait_for(self, is_so: Callable[[list[Received]], bool]) -> list[Received]:
        """What came, once it is as wanted."""
        with self.changed:
            assert self.changed.wait_for(lambda: is_so(self.received), PATIENCE_SECONDS), self.received
            return list(self.received)


@contextmanager
def receiving(*statuses: int, headers: dict[str, str] | None = None) -> Iterator[Receiver]:
    """A receiver for as long as the block. A status of 0 closes the connection without an answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent = {name.lower(): value for name, value in self.headers.items()}
            with receiver.changed:
                receiver.received.append(Received(self.path, sent, body))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                receiver.changed.notify_all()
            if status:
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1], list(statuses), headers=headers or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
