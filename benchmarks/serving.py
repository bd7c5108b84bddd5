"""Many viewers and askers while streams are watched: is an event lost, is watching harmed, how long do answers take?

    python benchmarks/serving.py                         # 4 streams, 50 viewers, 20 askers: two minutes
    python benchmarks/serving.py --minutes 60            # a soak
    python benchmarks/serving.py --quick                 # seconds, to see that it runs

`keepsight serve` runs as a process of its own with the bundled model; everybody asks it over loopback from this one.
The streams are toy-world files, watched as fast as the machine can, anew when they end. The first half of the time they
are watched alone, the second half with everybody.

A viewer follows the events of a stream from its first clip, hangs up after some clips and comes back with the id of the
last event that it has. What it was told is compared with the list of the stream's clips: each must have come once, in
order. An asker asks for an answer in pieces, waits, and asks again. One that is turned away (429) counts apart.

The server's memory is read every few seconds. Its slope is a least-squares line with a 95 % interval over the time with
everybody, from the first quarter of it on; each point is the mean over one of 24 equal stretches, since readings in a
row depend on each other.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rig.fitting import fit_line, means_of_stretches
from rig.machine import heading, table

from keepsight.toyworld.files import ToyVideoSettings, make_video

_QUESTIONS = ("What happened?", "Where did the ball go?", "Was there a dog?", "What was on the table at the end?")
_CLIPS_BEFORE_HANGING_UP = 7
_PATIENCE_SECONDS = 120
_MOST_SECONDS_BETWEEN_READINGS = 5.0
_STRETCHES, _WARM_UP = 24, 0.25


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


class Crowd:
    """Clients of a server.

    Args:
        port: of the server, on loopback.
        sources: what is watched.
        options: of the command line.

    Attributes:
        tally: what they saw.
        readings: minutes since it was last begun to watch, and the server's memory then, in megabytes.
    """

    def __init__(self, port: int, sources: list[Path], options: argparse.Namespace) -> None:
        self._port = port
        self._sources = sources
        self._options = options
        self._streams: list[str] = []
        self._is_over = threading.Event()
        self.tally = Tally()
        self.readings: list[tuple[float, float]] = []

    def get(self, path: str) -> Any:
        """What a route answers, from JSON."""
        return json.loads(self._send("GET", path))

    def metrics(self) -> dict[str, float]:
        """Sums over labels by name."""
        text = self._send("GET", "/metrics").decode()
        found: dict[str, float] = {}
        for sample in itertools.chain.from_iterable(f.samples for f in text_string_to_metric_families(text)):
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def watch(self, seconds: float, *, alone: bool) -> dict[str, float]:
        """Have all streams watched for a while, alone or with everybody; what the counters rose by, and the time."""
        self._is_over.clear()
        self._streams = [self._begin(source) for source in self._sources]
        before, began = self.metrics(), time.monotonic()
        work = [(self._keep_watched, number) for number in range(len(self._sources))]
        if not alone:
            work += [(self._view, number) for number in range(self._options.viewers)]
            work += [(self._keep_asking, number) for number in range(self._options.askers)]
        threads = [threading.Thread(target=self._do, args=one) for one in work]
        for thread in threads:
            thread.start()
        self._read_memory(seconds)
        after, took = self.metrics(), time.monotonic() - began
        self._is_over.set()
        for thread in threads:
            thread.join()
        for stream_id in self._streams:
            if self.get(f"/v1/streams/{stream_id}")["state"] == "watching":
                self._send("POST", f"/v1/streams/{stream_id}/pause", (200, 409))
        return {name: after[name] - before.get(name, 0.0) for name in after} | {"took": took}

    def _read_memory(self, seconds: float) -> None:
        """For so long."""
        self.readings, began, elapsed = [], time.monotonic(), 0.0
        while elapsed < seconds:
            time.sleep(min(_MOST_SECONDS_BETWEEN_READINGS, seconds / 40, seconds - elapsed))
            elapsed = time.monotonic() - began
            self.readings.append((elapsed / 60, self.metrics()["process_resident_memory_bytes"] / 1e6))

    def _do(self, work: Any, number: int) -> None:
        try:
            work(number)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            with self.tally.lock:
                self.tally.problems.append(f"{type(error).__name__}: {error}")

    def _begin(self, source: Path) -> str:
        body = {"source": str(source), "restart": True}
        return str(json.loads(self._send("POST", "/v1/streams", (201,), body))["id"])

    def _keep_watched(self, number: int) -> None:
        while not self._is_over.wait(0.2):
            if self.get(f"/v1/streams/{self._streams[number]}")["state"] != "watching":
                self._streams[number] = self._begin(self._sources[number])

    def _view(self, number: int) -> None:
        while not self._is_over.is_set():
            stream_id = self._streams[number % len(self._streams)]
            told: list[int] = []
            while not self._is_over.is_set() and self._visit(stream_id, told):
                continue
            self._visit(stream_id, told, "?follow=false")
            self._compare(told, [clip["clip_index"] for clip in self._clips(stream_id)][: len(told)])

    def _visit(self, stream_id: str, told: list[int], query: str = "") -> bool:
        """Add the clips that one is told of; whether the stream goes on."""
        headers = {"Last-Event-ID": str(told[-1])} if told else {}
        with self.tally.lock:
            self.tally.num_visits += 1
        with closing(self._open("GET", f"/v1/streams/{stream_id}/events{query}", headers=headers)) as connection:
            for name, data in _events(connection.getresponse()):
                if name == "clip":
                    told.append(data["clip_index"])
                    if not query and len(told) % _CLIPS_BEFORE_HANGING_UP == 0:
                        return True
                elif name == "removed" or (name == "state" and data["state"] != "watching"):
                    return False
                if not query and self._is_over.is_set():
                    return False
        return False

    def _clips(self, stream_id: str) -> Iterator[Any]:
        place: int | None = 0
        while place is not None:
            page = self.get(f"/v1/streams/{stream_id}/clips?limit=1000&from_index={place}")
            yield from page["clips"]
            place = page["next_index"]

    def _compare(self, told: list[int], there_are: list[int]) -> None:
        with self.tally.lock:
            self.tally.num_events += len(told)
            self.tally.num_twice += len(told) - len(set(told))
            self.tally.num_lost += len(set(there_are) - set(told))
            if told != sorted(told):
                self.tally.problems.append(f"out of order: {told}")

    def _keep_asking(self, number: int) -> None:
        draw = random.Random(number)
        self._is_over.wait(draw.uniform(0, self._options.ask_every_seconds))
        while not self._is_over.is_set():
            stream_id = draw.choice(self._streams)
            if self.get(f"/v1/streams/{stream_id}")["num_clips"]:
                self._ask(stream_id, draw.choice(_QUESTIONS))
            self._is_over.wait(self._options.ask_every_seconds)

    def _ask(self, stream_id: str, question: str) -> None:
        body = {"stream_id": stream_id, "question": question, "stream": True}
        began, first = time.monotonic(), None
        with closing(self._open("POST", "/v1/questions", body)) as connection:
            response = connection.getresponse()
            if response.status != 200:
                with self.tally.lock:
                    self.tally.num_turned_away += response.status == 429
                    self.tally.num_failed += response.status != 429
                return
            name = ""
            for name, _ in _events(response):
                first = time.monotonic() - began if first is None and name == "piece" else first
        with self.tally.lock:
            self.tally.num_failed += name != "answer"
            self.tally.whole_seconds.append(time.monotonic() - began)
            self.tally.first_seconds += [] if first is None else [first]

    def _send(self, method: str, path: str, allowed: tuple[int, ...] = (200,), body: Any = None) -> bytes:
        with closing(self._open(method, path, body)) as connection:
            response = connection.getresponse()
            content = response.read()
            if response.status not in allowed:
                raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
            return content

    def _open(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_SECONDS)
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"} | (headers or {}))
        return connection


def _events(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Names and data of server-sent events."""
    name = ""
    for raw in response:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@contextmanager
def served(folder: Path, options: argparse.Namespace) -> Iterator[int]:
    """`keepsight serve` over a folder; its port."""
    words = ["serve", "--port", "0", "--root", str(folder), "--journal", str(folder / "streams.db"), "--device", "cpu"]
    settings = {
        "KEEPSIGHT_MAX_STREAMS": str(options.streams),
        "KEEPSIGHT_MAX_VIEWERS": str(options.viewers + 10),
        "KEEPSIGHT_MAX_QUESTIONS_IN_FLIGHT": str(options.askers),
    }
    command = [sys.executable, "-c", f"from keepsight.cli import main; main({words!r})"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | settings)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if "listening" not in line:
            raise SystemExit("the server did not begin")
        yield int(line.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


def percentiles(seconds: list[float]) -> list[str]:
    """Median, 95th and 99th percentile, and the longest."""
    if len(seconds) < 2:
        return ["too few"] * 4
    cuts = quantiles(seconds, n=100, method="inclusive")
    return [f"{value:.2f}" for value in (cuts[49], cuts[94], cuts[98], max(seconds))]


def print_tables(
    options: argparse.Namespace, alone: dict[str, float], together: dict[str, float], tally: Tally
) -> None:
    """What came out."""
    note = (
        f"{options.streams} streams of toy-world files, {options.viewers} viewers who hang up every "
        f"{_CLIPS_BEFORE_HANGING_UP} clips and come back, {options.askers} askers every "
        f"{options.ask_every_seconds:g} s; "
        f"{alone['took']:.0f} s alone, then {together['took']:.0f} s with everybody."
    )
    rows = [
        [
            name,
            f"{one['keepsight_clips_total'] / one['took'] * 60:.0f}",
            f"{_mean_clip(one):.2f}",
            f"{one['process_cpu_seconds_total'] / one['took']:.2f}",
        ]
        for name, one in (("alone", alone), ("with everybody", together))
    ]
    columns = ("watching", "clips a minute", "seconds a clip", "cores that the server's process used")
    print("\n".join(heading("cpu", note) + table(columns, rows)))
    told = [f"{tally.num_events:,}", f"{tally.num_visits:,}", str(tally.num_lost), str(tally.num_twice)]
    print("\n".join(table(("clip events told", "connections", "lost", "twice"), [told])))
    columns = ("answers", "number", "median, s", "95 %", "99 %", "longest")
    rows = [
        [what, str(len(seconds)), *percentiles(seconds)]
        for what, seconds in (("first words", tally.first_seconds), ("whole", tally.whole_seconds))
    ]
    print("\n".join(table(columns, rows)))
    print(f"{tally.num_turned_away} questions turned away, {tally.num_failed} failed.")


def print_memory(alone: list[tuple[float, float]], together: list[tuple[float, float]]) -> None:
    """Where the server's memory was and went."""
    rows = []
    for name, readings in (("alone", alone), ("with everybody", together)):
        minutes, megabytes = zip(*readings, strict=True)
        at, means = means_of_stretches(minutes, megabytes, _STRETCHES, _WARM_UP)
        line = fit_line([minute / 60 for minute in at], means)
        low, high = line.interval
        slope = f"{line.slope:+.1f} [{low:+.1f}, {high:+.1f}]"
        rows.append([name, *(f"{value:.0f}" for value in (megabytes[0], max(megabytes), megabytes[-1])), slope])
    columns = ("the server's memory, MB", "first", "most", "last", "slope an hour after the first quarter [95 %]")
    print("\n".join(table(columns, rows)))


def _mean_clip(rise: dict[str, float]) -> float:
    return rise["keepsight_clip_seconds_sum"] / max(1.0, rise["keepsight_clip_seconds_count"])


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Viewers and askers of keepsight serve, as Markdown tables.")
    parser.add_argument("--minutes", type=float, default=2.0, help="in all; the first half alone")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--askers", type=int, default=20)
    parser.add_argument("--ask-every-seconds", type=float, default=20.0, help="each asker, after an answer")
    parser.add_argument("--file-minutes", type=float, default=8.0, help="length of each file, which is watched anew")
    parser.add_argument("--readings", type=Path, help="a file for every reading of the server's memory, as JSON")
    parser.add_argument("--quick", action="store_true", help="two streams, a few clients, seconds")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.streams, options.viewers, options.askers = 0.3, 2, 6, 3
        options.ask_every_seconds, options.file_minutes = 1.0, 3.0
    return options


def main() -> None:
    """Print the tables; exit code 1 where an event was lost or came twice."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [folder / f"camera{number}.mp4" for number in range(options.streams)]
        for number, source in enumerate(sources):
            make_video(source, ToyVideoSettings(minutes=options.file_minutes, seed=number))
        with served(folder, options) as port:
            crowd = Crowd(port, sources, options)
            alone, memory_alone = crowd.watch(options.minutes * 30, alone=True), crowd.readings
            together = crowd.watch(options.minutes * 30, alone=False)
    print_tables(options, alone, together, crowd.tally)
    print_memory(memory_alone, crowd.readings)
    if options.readings:
        options.readings.write_text(json.dumps({"alone": memory_alone, "together": crowd.readings}))
    for problem in crowd.tally.problems[:10]:
        print(f"problem: {problem}", file=sys.stderr)
    sys.exit(bool(crowd.tally.num_lost or crowd.tally.num_twice or crowd.tally.problems))


if __name__ == "__main__":
    main()
