"""What standing questions cost those who watch, and how late they tell.

    python -m benchmarks.standing                        # 0, 8 and 32 questions in turn: some fifteen minutes
    python -m benchmarks.standing --quick                # seconds, to see that it runs

`keepsight serve` runs as a process of its own with the bundled model, and is asked over loopback from this one. Every
question is one for the model and for all streams: `Tell me when a dog comes in`, each with another thing of the toy
world. The numbers of questions take turns in every round, each round in another order, so that a machine that others
use, too, is as slow for one as for the other; ratios are of the same round.

- **Files** are watched as fast as the machine can, again when they end: more captions come than can be checked. This
  shows what watching loses, and how many checks are made meanwhile.
- **Cameras** are streams whose frames are pushed at their own pace. This shows the delay: from the event of a clip to
  that of its alert, both as a viewer of the stream gets them. A turn ends when all its clips were checked.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.rig.crowd import events_of
from benchmarks.rig.machine import heading, table
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios
from benchmarks.rig.watched import camera_messages
from keepsight.settings import Settings
from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.toyworld.vocabulary import NOUNS, article

_COUNTS = (0, 8, 32)
_PATIENCE_SECONDS = 120.0
_QUESTIONS = "/v1/standing-questions"


class Server:
    """A server at a port of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._num_turns = 0

    def __call__(self, method: str, path: str, body: Any = None, allowed: Sequence[int] = (200, 201, 204)) -> Any:
        """What a route answers, from JSON; None for an answer that was allowed and has no content."""
        with closing(self.open(method, path, None if body is None else json.dumps(body))) as connection:
            response = connection.getresponse()
            content = response.read()
            if response.status not in allowed:
                raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
            return json.loads(content) if content else None

    def open(self, method: str, path: str, content: Any = None) -> http.client.HTTPConnection:
        """A request that was sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        return connection

    def clips(self) -> tuple[float, float]:
        """Clips stored since the server began, and the sum of their seconds."""
        with closing(self.open("GET", "/metrics")) as connection:
            families = text_string_to_metric_families(connection.getresponse().read().decode())
        found = {sample.name: sample.value for family in families for sample in family.samples}
        return found["keepsight_clips_total"], found["keepsight_clip_seconds_sum"]

    @contextmanager
    def asked(self, count: int) -> Iterator[list[str]]:
        """So many standing questions for as long as the block; their ids."""
        # Spaces that nobody reads: files are watched again, and verdicts of a turn before this would be remembered.
        self._num_turns += 1
        bodies = [
            {"question": f"Tell me when {article(noun)} comes in{' ' * self._num_turns}"} for noun in NOUNS[:count]
        ]
        ids = [self("POST", _QUESTIONS, body)["id"] for body in bodies]
        try:
            yield ids
        finally:
            for question_id in ids:
                self("DELETE", f"{_QUESTIONS}/{question_id}")

    def checks(self) -> tuple[int, int]:
        """Checks that were made for the questions that there are, and clips that were left out."""
        views = self("GET", _QUESTIONS)
        return sum(view["num_checked"] for view in views), sum(view["num_skipped"] for view in views)


@dataclass
class Turn:
    """What came of one number of questions in one round."""

    minutes: float = 0.0
    num_clips: float = 0.0
    clip_seconds: float = 0.0
    num_checks: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def clips_a_minute(self) -> float:
        """How fast was watched."""
        return self.num_clips / self.minutes

    @property
    def seconds_a_clip(self) -> float:
        """From encoding to storing."""
        return self.clip_seconds / max(1.0, self.num_clips)


Turns = dict[int, list[Turn]]


def in_turn(rounds: int) -> Iterator[int]:
    """Numbers of questions, each once a round, in another order each time."""
    for number in range(rounds):
        place = number % len(_COUNTS)
        order = _COUNTS[place:] + _COUNTS[:place]
        yield from order if number % 2 == 0 else order[::-1]


def watch_files(server: Server, sources: list[Path], options: argparse.Namespace) -> Turns:
    """Files, watched as fast as it goes."""
    turns: Turns = {count: [] for count in _COUNTS}
    is_over = threading.Event()
    keepers = [threading.Thread(target=_keep_watched, args=(server, source, is_over)) for source in sources]
    for keeper in keepers:
        keeper.start()
    try:
        for count in in_turn(options.rounds):
            with server.asked(count):
                time.sleep(options.settle_seconds)
                before, checks, began = server.clips(), server.checks()[0], time.monotonic()
                time.sleep(options.seconds)
                after = _clips_after(server, before)
                minutes, checked = (time.monotonic() - began) / 60, server.checks()[0] - checks
            turns[count].append(Turn(minutes, after[0] - before[0], after[1] - before[1], checked))
    finally:
        is_over.set()
        for keeper in keepers:
            keeper.join()
    return turns


def _clips_after(server: Server, before: tuple[float, float]) -> tuple[float, float]:
    """`Server.clips` once there are more: in a short turn on a busy machine there may be none yet."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while (after := server.clips())[0] == before[0]:
        if time.monotonic() > ends:
            raise SystemExit(f"no clip was described in {_PATIENCE_SECONDS:g} s")
        time.sleep(0.1)
    return after


def _keep_watched(server: Server, source: Path, is_over: threading.Event) -> None:
    stream_id = ""
    while not is_over.wait(0.1):
        if not stream_id or server("GET", f"/v1/streams/{stream_id}")["state"] != "watching":
            stream_id = server("POST", "/v1/streams", {"source": str(source), "restart": True})["id"]
    server("POST", f"/v1/streams/{stream_id}/pause", allowed=(200, 409))


class Camera:
    """A stream whose frames are pushed at its pace, and a viewer of its events.

    Args:
        server: watches it.
        number: of the camera.
        options: of the command line.

    Attributes:
        told: when the event of each clip came.
        delays: seconds from the event of a clip to that of an alert of it.
    """

    def __init__(self, server: Server, number: int, options: argparse.Namespace) -> None:
        self._server = server
        fps = Settings().frames_per_clip / options.clip_seconds
        self._step_seconds = 1 / fps
        self.stream_id = server("POST", "/v1/streams", {"source": f"push:camera{number}", "sample_fps": fps})["id"]
        self._messages = camera_messages(fps, options.story_clips, seed=number)
        self._is_over = threading.Event()
        self.told: dict[int, float] = {}
        self.delays: list[float] = []
        self._threads = [threading.Thread(target=work) for work in (self._push, self._view)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Push no more, and hang up."""
        self._is_over.set()
        self._server("POST", f"/v1/streams/{self.stream_id}/pause", allowed=(200, 409))
        for thread in self._threads:
            thread.join()

    def _push(self) -> None:
        began = time.monotonic()
        for number in range(sys.maxsize):
            if self._is_over.wait(max(0.0, began + number * self._step_seconds - time.monotonic())):
                return
            message = self._messages[number % len(self._messages)]
            with closing(self._server.open("POST", f"/v1/streams/{self.stream_id}/frames", message)) as connection:
                connection.getresponse().read()

    def _view(self) -> None:
        with closing(self._server.open("GET", f"/v1/streams/{self.stream_id}/events")) as connection:
            for name, data in events_of(connection.getresponse()):
                if name == "clip":
                    self.told[data["clip_index"]] = time.monotonic()
                elif name == "alert":
                    self.delays.append(time.monotonic() - self.told[data["clip_index"]])
                elif name == "state" and self._is_over.is_set() and data["state"] != "watching":
                    return


def watch_cameras(server: Server, options: argparse.Namespace) -> Turns:
    """Cameras at their pace."""
    turns: Turns = {count: [] for count in _COUNTS}
    cameras = [Camera(server, number, options) for number in range(options.cameras)]
    try:
        for count in in_turn(options.rounds):
            with server.asked(count):
                before, began = server.clips(), time.monotonic()
                nums_before = [len(camera.delays) for camera in cameras]
                time.sleep(options.camera_seconds)
                after, minutes = server.clips(), (time.monotonic() - began) / 60
                _wait_until_checked(server, count * int(after[0] - before[0]))
                num_checks = server.checks()[0]
            delays = [one for camera, num in zip(cameras, nums_before, strict=True) for one in camera.delays[num:]]
            turns[count].append(Turn(minutes, after[0] - before[0], after[1] - before[1], num_checks, delays))
    finally:
        for camera in cameras:
            camera.stop()
    return turns


def _wait_until_checked(server: Server, num_checks: int) -> None:
    ends = time.monotonic() + _PATIENCE_SECONDS
    while sum(server.checks()) < num_checks and time.monotonic() < ends:
        time.sleep(0.2)


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """`keepsight serve` over a folder."""
    words = ["serve", "--port", "0", "--root", str(folder), "--journal", str(folder / "streams.db"), "--device", "cpu"]
    command = [sys.executable, "-c", f"from keepsight.cli import main; main({words!r})"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        line = process.stdout.readline() if process.stdout else ""
        if "listening" not in line:
            raise SystemExit("the server did not begin")
        yield Server(int(line.rpartition(":")[2]))
    finally:
        process.terminate()
        process.wait()


def clips_to_those_without(ours: Sequence[Turn], turns: Turns) -> list[float]:
    """Clips a minute over those of the same round without questions."""
    return [one.clips_a_minute / none.clips_a_minute for one, none in zip(ours, turns[0], strict=True)]


def ratios_of(turns: Turns) -> list[Ratio]:
    """What standing questions cost those who watch."""
    values = {count: tuple(clips_to_those_without(ours, turns)) for count, ours in turns.items() if count}
    return [
        Ratio(f"clips per minute with {count} questions / without", found, higher_is_better=True)
        for count, found in values.items()
    ]


def print_files(turns: Turns, options: argparse.Namespace) -> None:
    """What watching lost."""
    print(
        f"{options.streams} files watched as fast as it goes, {options.seconds:g} s a turn, {options.rounds} rounds.\n"
    )
    rows = []
    for count, ours in turns.items():
        ratios = clips_to_those_without(ours, turns)
        rows.append(
            [
                str(count),
                f"{mean(one.clips_a_minute for one in ours):.0f}",
                f"{mean(one.seconds_a_clip for one in ours):.3f}",
                f"{mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                f"{mean(one.num_checks / one.minutes for one in ours):.0f}",
            ]
        )
    columns = ("questions", "clips per minute", "seconds per clip", "clips to those without, of the same round")
    print("\n".join(table((*columns, "checks per minute"), rows)))


def print_cameras(turns: Turns, options: argparse.Namespace) -> None:
    """How late was told."""
    rate = 60 * options.cameras / options.clip_seconds
    print(f"{options.cameras} cameras, {rate:.0f} clips per minute together, {options.camera_seconds:g} s a turn.\n")
    rows = []
    for count, ours in turns.items():
        delays = [delay for one in ours for delay in one.delays]
        times = ["too few"] * 3
        if len(delays) > 1:
            cuts = quantiles(delays, n=20, method="inclusive")
            times = [f"{seconds:.2f}" for seconds in (cuts[9], cuts[18], max(delays))]
        seconds = f"{mean(one.seconds_a_clip for one in ours):.3f}"
        rows.append([str(count), seconds, str(sum(one.num_checks for one in ours)), str(len(delays)), *times])
    columns = ("questions", "seconds per clip", "checks", "alerts", "median delay, s", "95 %", "longest")
    print("\n".join(table(columns, rows)))


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Standing questions of keepsight serve, as Markdown tables.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--streams", type=int, default=4, help="files")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a turn with files")
    parser.add_argument("--settle-seconds", type=float, default=2.0, help="before it")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--clip-seconds", type=float, default=8.0, help="a camera's clip is as long")
    parser.add_argument("--camera-seconds", type=float, default=20.0, help="of a turn with cameras")
    parser.add_argument(
        "--file-minutes", type=float, default=30.0, help="length of each file, which is watched repeatedly"
    )
    parser.add_argument("--story-clips", type=int, default=12, help="of each camera, shown again and again")
    parser.add_argument("--quick", action="store_true", help="one short round")
    add_ratios_option(parser)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.streams, options.cameras, options.story_clips = 1, 2, 2, 4
        options.seconds, options.settle_seconds, options.file_minutes = 3.0, 0.5, 5.0
        options.camera_seconds, options.clip_seconds = 5.0, 2.0
    return options


def main() -> None:
    """Print the tables."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [folder / f"file{number}.mp4" for number in range(options.streams)]
        for number, source in enumerate(sources):
            make_video(source, ToyVideoSettings(seed=number, minutes=options.file_minutes, fps=2))
        with served(folder) as server:
            print("\n".join(heading("cpu", "The bundled model; all questions are checked by it, for all streams.")))
            turns = watch_files(server, sources, options)
            print_files(turns, options)
            write_ratios(options.ratios, ratios_of(turns))
            print_cameras(watch_cameras(server, options), options)


if __name__ == "__main__":
    main()
