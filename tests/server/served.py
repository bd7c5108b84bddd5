"""A server on a free loopback port, its model, and a client that says exactly what it sends."""

import http.client
import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keepsight.hub.service import StreamService
from keepsight.journal import Quota
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, VisualInput
from keepsight.models.engines.engine import Engine
from keepsight.server.http.app import make_app
from keepsight.server.http.running import LAST_ANSWERS_SECONDS, HttpServer, listen
from keepsight.server.settings import ServerSettings
from keepsight.settings import Settings
from tests.fake_model import FakeModel
from tests.patience import DEADLINE_SECONDS, wait_for

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
"""A clip has two seconds."""

PATIENCE_SECONDS = DEADLINE_SECONDS


@dataclass
class ServedModel(FakeModel):
    """The stand-in, for several streams.

    Attributes:
        gate: clips are described while it is set.
        answer_gate: so are the pieces of answers.
    """

    gate: threading.Event = field(default_factory=threading.Event)
    answer_gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.answer_gate.set()

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        while not self.gate.wait(0.005):
            yield  # so that questions are answered meanwhile
        yield
        return [self.describe(clip, request) for clip in clips]

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        raise NotImplementedError

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        for piece in super().answer(request):
            self.answer_gate.wait(PATIENCE_SECONDS)
            yield piece


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.content)

    @property
    def message(self) -> str:
        """Of an error, which has nothing else."""
        (error,) = self.data.items()
        assert error[0] == "error"
        assert set(error[1]) == {"message"}
        assert "\n" not in error[1]["message"]
        return str(error[1]["message"])


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    name: str
    data: Any
    id: str | None


@dataclass(frozen=True)
class Client:
    """Asks the server at a port."""

    port: int
    token: str | None = None

    @property
    def netloc(self) -> str:
        """What requests call the server."""
        return f"127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def __call__(self, method: str, path: str, body: object = None, headers: Mapping[str, str | None] = {}) -> Reply:
        """Headers that are None are left out. A body that is bytes is sent as it is, all else as JSON."""
        with closing(self.send(method, path, body, headers)) as connection:
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def events(
        self, path: str, method: str = "GET", body: object = None, headers: Mapping[str, str | None] = {}
    ) -> Generator[Event, None, None]:
        """Server-sent events as they come, for as long as they are wanted."""
        with closing(self.send(method, path, body, headers)) as connection:
            response = connection.getresponse()
            assert response.status == 200, response.read()
            assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
            fields: dict[str, str] = {}
            for raw in response:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
                    fields = {}
                else:
                    fields = {}

    def begin(self, video: Path, **more: object) -> str:
        """Begin a stream; its id."""
        reply = self("POST", "/v1/streams", {"source": str(video), **more})
        assert reply.status == 201, reply.content
        return str(reply.data["id"])

    def wait_for(self, stream_id: str, is_so: Callable[[Any], bool]) -> Any:
        """The stream, once it is in a state."""
        view: Any = None

        def look() -> bool:
            nonlocal view
            view = self("GET", f"/v1/streams/{stream_id}").data
            return is_so(view)

        wait_for(look, lambda: f"another state than that of {view}")
        return view

    def wait_for_state(self, stream_id: str, state: str) -> Any:
        return self.wait_for(stream_id, lambda view: view["state"] == state)

    def send(
        self, method: str, path: str, body: object, headers: Mapping[str, str | None]
    ) -> http.client.HTTPConnection:
        connection = self.connect()
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent: dict[str, str | None] = {"Host": self.netloc}
        if content is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (sent | dict(headers)).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(content)
        return connection


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    client: Client
    service: StreamService
    model: ServedModel


@contextmanager
def serve(
    settings: ServerSettings,
    model: ServedModel,
    watching: Settings = QUICK,
    quota: Quota | None = None,
    engine: Engine | None = None,
) -> Iterator[Served]:
    """A server for as long as the block, then an orderly end."""
    hub = StreamService(model, settings, watching, quota=quota, engine=engine)
    with listen(settings) as listening, hub as service:
        server = HttpServer(make_app(service, settings), service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Served(Client(listening.getsockname()[1], settings.token), service, model)
        finally:
            model.answer_gate.set()
            server.should_exit = True
            thread.join(PATIENCE_SECONDS + LAST_ANSWERS_SECONDS)
            model.gate.set()
            assert not thread.is_alive()
