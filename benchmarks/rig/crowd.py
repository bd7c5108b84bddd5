"""Clients of `keepsight serve`: viewers who come and go, askers, and what keeps the streams going."""

import argparse
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

from prometheus_client.parser import text_string_to_metric_families

QUESTIONS = ("What happened?", "Where did the ball go?", "Was there a dog?", "What was on the table at the end?")
CLIPS_BEFORE_HANGING_UP = 7
_PATIENCE_SECONDS = 120
_MOST_SECONDS_BETWEEN_READINGS = 5.0
_WATCHED = frozenset({"watching", "connecting", "streaming", "stalled", "offline"})


class Source(Protocol):
    """What is watched."""

    def begin(self, crowd: "Crowd") -> str:
        """Have it watched; the stream's id."""

    def keep(self, crowd: "Crowd", number: int) -> None:
        """Until `crowd.is_over`: have `crowd.streams[number]` watched, or the next stream in its place."""


@dataclass
class Tally:
    """What clients saw; `lock` is held while it is written."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    num_events: int = 0
    num_lost: int = 0
    num_twice: int = 0
    num_visits: int = 0
    num_turned_away: int = 0
    num_failed: int = 0
    first_seconds: list[float] = field(default_factory=list)
    whole_seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class MemoryReading(NamedTuple):
    """Memory at one moment.

    Attributes:
        minutes: since it was begun to watch.
        server: megabytes of the server's process.
        decoders: megabytes of all processes that decode for it.
    """

    minutes: float
    server: float
    decoders: float


def _memory_of(metrics: dict[str, float], minutes: float) -> MemoryReading:
    server, decoders = (
        metrics[name] / 1e6 for name in ("process_resident_memory_bytes", "keepsight_decoder_memory_bytes")
    )
    return MemoryReading(minutes, server, decoders)


class Crowd:
    """Clients of a server.

    Args:
        port: of the server, on loopback.
        options: of the command line: how many of whom there are, and how often askers ask.

    Attributes:
        tally: what they saw.
        readings: of memory, since it was last begun to watch.
    """

    def __init__(self, port: int, options: argparse.Namespace) -> None:
        self._port = port
        self._options = options
        self.streams: list[str] = []
        self.is_over = threading.Event()
        self.tally = Tally()
        self.readings: list[MemoryReading] = []

    def get(self, path: str) -> Any:
        """What a route answers, from JSON."""
        return json.loads(self.send("GET", path))

    def metrics(self) -> dict[str, float]:
        """Sums over labels by name."""
        text = self.send("GET", "/metrics").decode()
        found: dict[str, float] = {}
        for sample in itertools.chain.from_iterable(f.samples for f in text_string_to_metric_families(text)):
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def watch(self, sources: "Sequence[Source]", seconds: float, *, alone: bool) -> dict[str, float]:
        """Have all sources watched for a while, alone or with everybody; what the counters rose by, and the time."""
        self.is_over.clear()
        self.streams = [source.begin(self) for source in sources]
        before, began = self.metrics(), time.monotonic()
        work: list[Any] = [(partial(source.keep, self), number) for number, source in enumerate(sources)]
        if not alone:
            work += [(self._view, number) for number in range(self._options.viewers)]
            work += [(self._keep_asking, number) for number in range(self._options.askers)]
        threads = [threading.Thread(target=self._do, args=one) for one in work]
        for thread in threads:
            thread.start()
        self._read_memory(seconds)
        after, took = self.metrics(), time.monotonic() - began
        self.is_over.set()
        for thread in threads:
            thread.join()
        for stream_id in self.streams:
            if self.get(f"/v1/streams/{stream_id}")["state"] in _WATCHED:
                self.send("POST", f"/v1/streams/{stream_id}/pause", (200, 409))
        return {name: after[name] - before.get(name, 0.0) for name in after} | {"took": took}

    def _read_memory(self, seconds: float) -> None:
        """Sample memory readings for a number of seconds."""
        self.readings, began, elapsed = [], time.monotonic(), 0.0
        while elapsed < seconds:
            time.sleep(min(_MOST_SECONDS_BETWEEN_READINGS, seconds / 40, seconds - elapsed))
            elapsed = time.monotonic() - began
            self.readings.append(_memory_of(self.metrics(), elapsed / 60))

    def _do(self, work: Any, number: int) -> None:
        try:
            work(number)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            with self.tally.lock:
                self.tally.problems.append(f"{type(error).__name__}: {error}")

    def _view(self, number: int) -> None:
        while not self.is_over.is_set():
            stream_id = self.streams[number % len(self.streams)]
            received: list[int] = []
            while not self.is_over.is_set() and self._visit(stream_id, received):
                continue
            self._visit(stream_id, received, "?follow=false")
            self._compare(received, [clip["clip_index"] for clip in self._clips(stream_id)][: len(received)])

    def _visit(self, stream_id: str, received: list[int], query: str = "") -> bool:
        """Collect clip indices of one event connection; returns whether the stream continues."""
        headers = {"Last-Event-ID": str(received[-1])} if received else {}
        with self.tally.lock:
            self.tally.num_visits += 1
        with closing(self.open("GET", f"/v1/streams/{stream_id}/events{query}", headers=headers)) as connection:
            for name, data in events_of(connection.getresponse()):
                if name == "clip":
                    received.append(data["clip_index"])
                    if not query and len(received) % CLIPS_BEFORE_HANGING_UP == 0:
                        return True
                elif name == "removed" or (name == "state" and data["state"] not in _WATCHED):
                    return False
                if not query and self.is_over.is_set():
                    return False
        return False

    def _clips(self, stream_id: str) -> Iterator[Any]:
        place: int | None = 0
        while place is not None:
            page = self.get(f"/v1/streams/{stream_id}/clips?limit=1000&from_index={place}")
            yield from page["clips"]
            place = page["next_index"]

    def _compare(self, received: list[int], there_are: list[int]) -> None:
        with self.tally.lock:
            self.tally.num_events += len(received)
            self.tally.num_twice += len(received) - len(set(received))
            self.tally.num_lost += len(set(there_are) - set(received))
            if received != sorted(received):
                self.tally.problems.append(f"out of order: {received}")

    def _keep_asking(self, number: int) -> None:
        draw = random.Random(number)
        self.is_over.wait(draw.uniform(0, self._options.ask_every_seconds))
        while not self.is_over.is_set():
            stream_id = draw.choice(self.streams)
            if self.get(f"/v1/streams/{stream_id}")["num_clips"]:
                self._ask(stream_id, draw.choice(QUESTIONS))
            self.is_over.wait(self._options.ask_every_seconds)

    def _ask(self, stream_id: str, question: str) -> None:
        body = {"stream_id": stream_id, "question": question, "stream": True}
        began, first = time.monotonic(), None
        with closing(self.open("POST", "/v1/questions", body)) as connection:
            response = connection.getresponse()
            if response.status != 200:
                with self.tally.lock:
                    self.tally.num_turned_away += response.status == 429
                    self.tally.num_failed += response.status != 429
                return
            name = ""
            for name, _ in events_of(response):
                first = time.monotonic() - began if first is None and name == "piece" else first
        with self.tally.lock:
            self.tally.num_failed += name != "answer"
            self.tally.whole_seconds.append(time.monotonic() - began)
            self.tally.first_seconds += [] if first is None else [first]

    def send(self, method: str, path: str, allowed: tuple[int, ...] = (200,), body: Any = None) -> bytes:
        """What a request is answered; other statuses than are allowed are errors."""
        with closing(self.open(method, path, body)) as connection:
            response = connection.getresponse()
            content = response.read()
            if response.status not in allowed:
                raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
            return content

    def open(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPConnection:
        """A request that was sent; the body is JSON, or bytes as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_SECONDS)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"} | (headers or {}))
        return connection


def events_of(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Names and data of server-sent events."""
    name = ""
    for raw in response:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
