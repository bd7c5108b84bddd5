"""Whether watching and asking get slower or larger with a stream's age.

    python -m benchmarks.flatness           # the bundled model on the CPU: minutes
    python -m benchmarks.flatness --quick   # seconds, to see that it runs

Ages are simulated: the journal is filled with as many captions as a stream of that age has at 0.5 frames a second, with
embeddings, scores and thumbnails, and the memory is full. The youngest stream has the 16 clips that fill the memory.
Then all streams are shown the same further clips, and asked the same question after each. Ages take turns within each
repeat, so that what else the machine does meets all of them alike.

Slopes are least-squares lines through all single measurements over the age in hours, with 95 % intervals by Student's
t; in per cent of the line's value at age 0. Memory is that of a process of its own for each age, which opens the
journal, describes and answers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.rig.fitting import fit_line
from benchmarks.rig.journals import SOURCE, Past, write_past
from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import peak_bytes, used_bytes
from benchmarks.rig.toy import toy_captions, toy_frames
from keepsight.engine.session import StreamSession
from keepsight.engine.watcher import Watcher
from keepsight.method.protocol import VideoModel
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.loading import load_model
from keepsight.settings import Settings
from keepsight.video import Frame

CLIPS_AN_HOUR = 112.5
QUESTION = "Where is the dog?"
NUM_CAPTIONS = 200


@dataclass(frozen=True)
class Turn:
    """One clip and one question at one age: wall and CPU seconds of describing, of choosing captions, of the answer."""

    age_hours: float
    describe: tuple[float, float]
    choose: tuple[float, float]
    answer: tuple[float, float]


def clock() -> tuple[float, float]:
    """Wall and CPU time."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    """Wall and CPU seconds that have gone by."""
    wall, cpu = clock()
    return wall - start[0], cpu - start[1]


def num_clips(age_hours: float) -> int:
    """Clips that a stream has by then, at least as many as fill the memory."""
    return max(Settings().memory_clips, round(CLIPS_AN_HOUR * age_hours))


class AgedStream:
    """A stream of some age that is watched and asked.

    Args:
        model: describes and answers.
        path: of its journal.
        age_hours: how old it is.
    """

    def __init__(self, model: VideoModel, path: Path, age_hours: float) -> None:
        self.age_hours = age_hours
        self._watcher = Watcher(model, path)
        self._session: StreamSession = self._watcher.begin(SOURCE)
        self._first = self._session.resume_seconds

    def take_turn(self, frames: Sequence[Frame]) -> Turn:
        """Show one clip, and ask; frames are timed from the end of the past."""
        start = clock()
        for frame in frames:
            self._session.push(Frame(frame.image, self._first + frame.pts_seconds))
        described = since(start)
        start = clock()
        stream = self._watcher.ask_streaming(QUESTION)
        chosen = since(start)
        _ = stream.answer
        return Turn(self.age_hours, described, chosen, since(start))

    def close(self) -> None:
        """Close the journal."""
        self._watcher.close()


def clips_of(count: int) -> list[list[Frame]]:
    """Frames of clips one after another."""
    settings = Settings()
    frames = toy_frames(settings, first_clip=0, num_clips=count, seed=7)
    size = settings.frames_per_clip
    return [frames[start : start + size] for start in range(0, len(frames), size)]


def take_turns(model: VideoModel, paths: dict[float, Path], repeats: int) -> list[Turn]:
    """All ages in turn, each time with another one first; the first round warms up."""
    streams = [AgedStream(model, path, age) for age, path in paths.items()]
    turns = []
    for number, frames in enumerate(clips_of(1 + repeats)):
        first = number % len(streams)
        round_ = [stream.take_turn(frames) for stream in streams[first:] + streams[:first]]
        turns += round_ if number else []
    for stream in streams:
        stream.close()
    return turns


def bundled_model(device: str) -> VideoModel:
    """The model that is shipped, with the threads that it is run with."""
    model = load_model("tiny", device=device)
    settle_threads(device, model.info.num_parameters)
    return model


def memory_of(path: Path, device: str, age_hours: float, count: int) -> dict[str, float]:
    """Bytes that are held after some clips and questions, and at most: of this process, or on the GPU."""
    model = bundled_model(device)
    stream = AgedStream(model, path, age_hours)
    for frames in clips_of(count):
        stream.take_turn(frames)
    held = used_bytes(device)
    stream.close()
    return {"held": held, "peak": peak_bytes(device)}


def memory_apart(path: Path, device: str, age_hours: float, count: int) -> dict[str, float]:
    """The same in a process of its own."""
    work = json.dumps({"path": str(path), "device": device, "age_hours": age_hours, "count": count})
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, __file__, "--one", work], capture_output=True, text=True, env=environment, check=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


QUANTITIES = {"describe": "a clip described and stored", "choose": "captions chosen", "answer": "whole answer"}


def slope_rows(turns: Sequence[Turn]) -> list[list[str]]:
    """Slopes of wall and CPU time for each quantity."""
    rows = []
    for name, title in QUANTITIES.items():
        for place, clock_name in enumerate(("wall", "CPU")):
            seconds = [getattr(turn, name)[place] for turn in turns]
            line = fit_line([turn.age_hours for turn in turns], seconds)
            low, high = line.interval
            rows.append(
                [
                    f"{title}, {clock_name}",
                    f"{1000 * line.intercept:.1f}",
                    f"{1e6 * line.slope:+.1f} [{1e6 * low:+.1f}, {1e6 * high:+.1f}]",
                    f"{100 * line.slope / line.intercept:+.4f} [{100 * low / line.intercept:+.4f}, "
                    f"{100 * high / line.intercept:+.4f}]",
                ]
            )
    return rows


def memory_row(memory: dict[float, dict[str, float]]) -> list[str]:
    """Slope of the memory held."""
    line = fit_line(list(memory), [found["held"] for found in memory.values()])
    low, high = line.interval
    return [
        "memory held, MB",
        f"{line.intercept / 1e6:.0f} MB",
        f"{line.slope / 1e3:+.1f} [{low / 1e3:+.1f}, {high / 1e3:+.1f}] kB",
        f"{100 * line.slope / line.intercept:+.4f} [{100 * low / line.intercept:+.4f}, "
        f"{100 * high / line.intercept:+.4f}]",
    ]


def age_rows(turns: Sequence[Turn], memory: dict[float, dict[str, float]], paths: dict[float, Path]) -> list[list[str]]:
    """Medians at each age."""
    rows = []
    for age, found in memory.items():
        own = [turn for turn in turns if turn.age_hours == age]
        cells = []
        for name in QUANTITIES:
            wall, cpu = (1000 * median(getattr(turn, name)[place] for turn in own) for place in (0, 1))
            cells.append(f"{wall:.0f} ({cpu:.0f})")
        held = [f"{found[name] / 1e6:.0f}" for name in ("held", "peak")]
        rows.append([f"{age:g}", f"{num_clips(age):,}", *cells, *held, f"{paths[age].stat().st_size / 1e6:.1f}"])
    return rows


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Latency and memory by the age of a stream, as Markdown tables.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ages", type=float, nargs="+", default=[0, 1, 10, 100], help="hours")
    parser.add_argument("--repeats", type=int, default=30, help="clips and questions at each age")
    parser.add_argument("--quick", action="store_true", help="young streams, two repeats")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.ages, options.repeats = [0, 1, 2], 2
    return options


def main() -> None:
    """Print the tables, or the memory of one age when called by itself."""
    options = parse()
    if options.one:
        work = json.loads(options.one)
        print(json.dumps(memory_of(Path(work["path"]), work["device"], work["age_hours"], work["count"])))
        return
    model = bundled_model(options.device)
    captions = toy_captions(NUM_CAPTIONS)
    with tempfile.TemporaryDirectory() as folder:
        paths = {age: Path(folder) / f"{age:g}.db" for age in options.ages}
        for age, path in paths.items():
            write_past(path, model, Settings(), Past(num_clips(age), captions))
        turns = take_turns(model, paths, options.repeats)
        memory = {age: memory_apart(path, options.device, age, min(8, options.repeats)) for age, path in paths.items()}
        ages = age_rows(turns, memory, paths)
    note = (
        f"The bundled model; {options.repeats} clips and questions at each age, in turns; medians, wall ms and in "
        f"brackets CPU ms."
    )
    lines = heading(options.device, note)
    columns = ("hours", "captions", *QUANTITIES.values(), "memory held MB", "peak MB", "journal MB")
    lines += table(columns, ages)
    slopes = [*slope_rows(turns), memory_row(memory)]
    lines += table(("quantity", "line at age 0, ms", "slope, µs an hour [95 %]", "slope, % an hour [95 %]"), slopes)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
