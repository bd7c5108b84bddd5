"""Many viewers and askers while streams are watched: is an event lost, is watching harmed, how long do answers take?

    python benchmarks/serving.py                         # 4 streams, 50 viewers, 20 askers: two minutes
    python benchmarks/serving.py --minutes 60            # a soak
    python benchmarks/serving.py --cameras               # cameras at their pace in place of files
    python benchmarks/serving.py --quick                 # seconds, to see that it runs

`keepsight serve` runs as a process of its own with the bundled model; everybody asks it over loopback from this one.
The streams are toy-world files, watched as fast as the machine can, anew when they end; so what everybody takes of the
machine, watching loses. With `--cameras` they are cameras that push their frames at their pace, which shows whether any
is dropped and how late clips are told: from the frame that completes a clip to its event at a viewer. The first half of
the time they are watched alone, the second half with everybody.

A viewer follows the events of a stream from its first clip, hangs up after some clips and comes back with the id of the
last event that it has. What it was told is compared with the list of the stream's clips: each must have come once, in
order. An asker asks for an answer in pieces, waits, and asks again. One that is turned away (429) counts apart.

The server's memory is read every few seconds. Its slope is a least-squares line with a 95 % interval over the time with
everybody, from the first quarter of it on; each point is the mean over one of 24 equal stretches, since readings in a
row depend on each other.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from rig.crowd import CLIPS_BEFORE_HANGING_UP, Crowd, Source, Tally
from rig.fitting import fit_line, means_of_stretches
from rig.machine import heading, table
from rig.watched import PushedCamera, WatchedFile

from keepsight.toyworld.files import ToyVideoSettings, make_video

_STRETCHES, _WARM_UP = 24, 0.25


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
        f"{options.streams} {'cameras' if options.cameras else 'streams of toy-world files'}, "
        f"{options.viewers} viewers who hang up every {CLIPS_BEFORE_HANGING_UP} clips and come back, "
        f"{options.askers} askers every {options.ask_every_seconds:g} s; "
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
    parser.add_argument("--cameras", action="store_true", help="cameras at their pace in place of files")
    parser.add_argument("--clip-seconds", type=float, default=8.0, help="a camera's clip has so many")
    parser.add_argument("--file-minutes", type=float, default=8.0, help="length of each file, which is watched anew")
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
        return [PushedCamera(number, options.clip_seconds, num_clips) for number in range(options.streams)]
    paths = [folder / f"file{number}.mp4" for number in range(options.streams)]
    for number, path in enumerate(paths):
        make_video(path, ToyVideoSettings(minutes=options.file_minutes, seed=number))
    return [WatchedFile(path) for path in paths]


def delays_of(sources: Sequence[Source]) -> list[float]:
    """Of all cameras, in the time when they were watched last."""
    return [delay for source in sources if isinstance(source, PushedCamera) for delay in source.delays]


def main() -> None:
    """Print the tables; exit code 1 where an event was lost or came twice."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        sources = make_sources(Path(name), options)
        with served(Path(name), options) as port:
            crowd = Crowd(port, options)
            alone, memory_alone = crowd.watch(sources, options.minutes * 30, alone=True), crowd.readings
            delays_alone = delays_of(sources)
            together = crowd.watch(sources, options.minutes * 30, alone=False)
    print_tables(options, alone, together, crowd.tally)
    if options.cameras:
        print_cameras({"alone": (alone, delays_alone), "with everybody": (together, delays_of(sources))})
    print_memory(memory_alone, crowd.readings)
    if options.readings:
        options.readings.write_text(json.dumps({"alone": memory_alone, "together": crowd.readings}))
    for problem in crowd.tally.problems[:10]:
        print(f"problem: {problem}", file=sys.stderr)
    sys.exit(bool(crowd.tally.num_lost or crowd.tally.num_twice or crowd.tally.problems))


if __name__ == "__main__":
    main()
