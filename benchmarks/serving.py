"""Many viewers and askers while streams are watched: is an event lost, is watching harmed, how long do answers take?

    python -m benchmarks.serving                         # 4 streams, 50 viewers, 20 askers: two minutes
    python -m benchmarks.serving --minutes 60            # a soak
    python -m benchmarks.serving --cameras pushed        # cameras at their pace in place of files
    python -m benchmarks.serving --cameras pushed h264 --picture-size 1920x1080 --minutes 60 --alone
    python -m benchmarks.serving --quick                 # seconds, to see that it runs

`keepsight serve` runs as a process of its own with the bundled model; everybody asks it over loopback from this one.
The streams are toy-world files, watched as fast as the machine can, again when they end; so what everybody takes of the
machine, watching loses. With `--cameras` they are cameras at their pace, of each kind in turn: `pushed` ones send
frames to the server, which shows whether any is dropped and how late clips are told, from the frame that completes a
clip to its event at a viewer; `h264` ones are connected to over HTTP, and decoded. The first half of the time they are
watched alone, the second half with everybody; with `--alone`, all the time alone.

A viewer follows the events of a stream from its first clip, hangs up after some clips and comes back with the id of the
last event that it has. What it was told is compared with the list of the stream's clips: each must have come once, in
order. An asker asks for an answer in pieces, waits, and asks again. One that is turned away (429) counts apart.

Memory of the server and of the processes that decode for it is read every few seconds. Its slope is a least-squares
line with a 95 % interval over the time so watched, from the first quarter of it on; each point is the mean over one of
24 equal stretches, since readings in a row depend on each other.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from benchmarks.rig.crowd import CLIPS_BEFORE_HANGING_UP, Crowd, MemoryReading, Source, Tally
from benchmarks.rig.fitting import fit_line, means_of_stretches
from benchmarks.rig.http_camera import HttpCamera
from benchmarks.rig.large import make_large_video, picture_size
from benchmarks.rig.machine import heading, table
from benchmarks.rig.watched import PushedCamera, WatchedFile
from keepsight.toyworld.files import ToyVideoSettings

_STRETCHES, _WARM_UP = 24, 0.25
_CAMERAS = {"pushed": PushedCamera, "h264": HttpCamera}


@contextmanager
def served(folder: Path, options: argparse.Namespace) -> Iterator[int]:
    """`keepsight serve` over a folder; its port."""
    words = ["serve", "--port", "0", "--root", str(folder), "--journal", str(folder / "streams.db"), "--device", "cpu"]
    settings = {
        "KEEPSIGHT_ALLOW_PRIVATE": "true",
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


def print_tables(options: argparse.Namespace, phases: dict[str, dict[str, float]], tally: Tally) -> None:
    """What came out."""
    width, height = options.picture_size
    what = f"cameras ({', '.join(options.cameras)})" if options.cameras else "streams of toy-world files"
    size = f" with pictures of {width} x {height}" if width else ""
    crowd = (
        f"{options.viewers} viewers who hang up every {CLIPS_BEFORE_HANGING_UP} clips and come back, "
        f"{options.askers} askers every {options.ask_every_seconds:g} s; "
    )
    times = ", then ".join(f"{rise['took']:.0f} s {name}" for name, rise in phases.items())
    note = f"{options.streams} {what}{size}, {'' if options.alone else crowd}{times}."
    rows = [
        [
            name,
            f"{one['keepsight_clips_total'] / one['took'] * 60:.0f}",
            f"{_mean_clip(one):.2f}",
            f"{one['process_cpu_seconds_total'] / one['took']:.2f}",
        ]
        for name, one in phases.items()
    ]
    columns = ("watching", "clips per minute", "seconds per clip", "cores that the server's process used")
    print("\n".join(heading("cpu", note) + table(columns, rows)))
    if not options.alone:
        print_crowd(tally)


def print_crowd(tally: Tally) -> None:
    """What viewers and askers saw."""
    told = [f"{tally.num_events:,}", f"{tally.num_visits:,}", str(tally.num_lost), str(tally.num_twice)]
    print("\n".join(table(("clip events told", "connections", "lost", "twice"), [told])))
    columns = ("answers", "number", "median, s", "95 %", "99 %", "longest")
    rows = [
        [what, str(len(seconds)), *percentiles(seconds)]
        for what, seconds in (("first words", tally.first_seconds), ("whole", tally.whole_seconds))
    ]
    print("\n".join(table(columns, rows)))
    print(f"{tally.num_turned_away} questions turned away, {tally.num_failed} failed.")


def print_memory(phases: dict[str, list[MemoryReading]]) -> None:
    """Where memory was and went."""
    rows = []
    for name, readings in phases.items():
        minutes, server, decoders = zip(*readings, strict=True)
        rows.append([f"the server {name}", *_row_of_memory(minutes, server)])
        rows.append([f"its decoders {name}", *_row_of_memory(minutes, decoders)])
    columns = ("memory, MB", "first", "most", "last", "slope an hour after the first quarter [95 %]")
    print("\n".join(table(columns, rows)))


def _row_of_memory(minutes: Sequence[float], megabytes: Sequence[float]) -> list[str]:
    at, means = means_of_stretches(minutes, megabytes, _STRETCHES, _WARM_UP)
    line = fit_line([minute / 60 for minute in at], means)
    low, high = line.interval
    figures = [f"{value:.0f}" for value in (megabytes[0], max(megabytes), megabytes[-1])]
    return [*figures, f"{line.slope:+.1f} [{low:+.1f}, {high:+.1f}]"]


def print_cameras(phases: dict[str, tuple[dict[str, float], list[float]]]) -> None:
    """How late clips were told, and what was dropped."""
    columns = ("cameras", "frames dropped", "clips told", "seconds from a clip's last frame to its event: median")
    rows = [
        [name, f"{rise['keepsight_frames_dropped_total']:.0f}", str(len(delays)), *percentiles(delays)]
        for name, (rise, delays) in phases.items()
    ]
    print("\n".join(table((*columns, "95 %", "99 %", "longest"), rows)))


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
    parser.add_argument("--alone", action="store_true", help="no viewers and askers, all the time")
    parser.add_argument(
        "--cameras", nargs="*", choices=("pushed", "h264"), help="cameras at their pace in place of files, by turns"
    )
    parser.add_argument("--picture-size", type=picture_size, default=(0, 0), help="such as 1920x1080")
    parser.add_argument("--clip-seconds", type=float, default=8.0, help="a camera's clip has so many")
    parser.add_argument(
        "--file-minutes", type=float, default=8.0, help="length of each file, which is watched repeatedly"
    )
    parser.add_argument("--readings", type=Path, help="a file for every reading of the server's memory, as JSON")
    parser.add_argument("--quick", action="store_true", help="two streams, a few clients, seconds")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.streams, options.viewers, options.askers = 0.3, 2, 6, 3
        options.ask_every_seconds, options.file_minutes = 1.0, 3.0
    return options


def make_sources(folder: Path, options: argparse.Namespace) -> Sequence[Source]:
    """What is watched."""
    if options.cameras:
        num_clips = 2 if options.quick else 12
        kinds = itertools.islice(itertools.cycle(options.cameras), options.streams)
        return [
            _CAMERAS[kind](number, options.clip_seconds, num_clips, options.picture_size)
            for number, kind in enumerate(kinds)
        ]
    paths = [folder / f"file{number}.mp4" for number in range(options.streams)]
    for number, path in enumerate(paths):
        make_large_video(path, ToyVideoSettings(minutes=options.file_minutes, seed=number), options.picture_size)
    return [WatchedFile(path) for path in paths]


def delays_of(sources: Sequence[Source]) -> list[float]:
    """Of all cameras, in the time when they were watched last."""
    return [delay for source in sources if isinstance(source, PushedCamera) for delay in source.delays]


def main() -> None:
    """Print the tables; exit code 1 where an event was lost or came twice."""
    options = parse()
    rises: dict[str, dict[str, float]] = {}
    delays: dict[str, list[float]] = {}
    memory: dict[str, list[MemoryReading]] = {}
    with tempfile.TemporaryDirectory() as name:
        sources = make_sources(Path(name), options)
        with served(Path(name), options) as port:
            crowd = Crowd(port, options)
            phases = ("alone",) if options.alone else ("alone", "with everybody")
            for phase in phases:
                seconds = options.minutes * 60 / len(phases)
                rises[phase] = crowd.watch(sources, seconds, alone=phase == "alone")
                delays[phase], memory[phase] = delays_of(sources), crowd.readings
    print_tables(options, rises, crowd.tally)
    if "pushed" in (options.cameras or ()):
        print_cameras({phase: (rise, delays[phase]) for phase, rise in rises.items()})
    print_memory(memory)
    if options.readings:
        options.readings.write_text(json.dumps(memory))
    for problem in crowd.tally.problems[:10]:
        print(f"problem: {problem}", file=sys.stderr)
    sys.exit(bool(crowd.tally.num_lost or crowd.tally.num_twice or crowd.tally.problems))


if __name__ == "__main__":
    main()
