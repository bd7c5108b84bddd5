"""Days of live streams on a clock that runs faster: does anything grow?

    python -m benchmarks.endurance                       # 4 streams for 24 hours, 32 times as fast: 45 minutes
    python -m benchmarks.endurance --hours 168 --plot week.png
    python -m benchmarks.endurance --picture-size 3840x2160 --times 4 --hours 4   # decoding takes its time
    python -m benchmarks.endurance --quick               # seconds, to see that it runs

Each stream is a toy-world camera: a real file, decoded in a process of its own as the product does it, its frames paced
by the fast clock. A camera loses its connection at the end of its file, every nine minutes, and is connected to again
by the product's own supervision, so that processes, pipes and threads come and go all the time. Frames go through the
product's queue; clips of all streams share one bundled model, in batches; the journal is on disk, under a quota.

Every few seconds it is written down what the process holds: memory, and that of its decoders, open files, threads,
processes it started; how far captions lag behind, how long a clip took, frames dropped. Slopes are
least-squares lines over simulated hours, with 95 % intervals by Student's t, from the second tenth of the run on: the
visual memories, and the journal up to its quota, fill in the first. Measurements in a row depend on each other, so each
point of a line is the mean over one of 24 equal stretches.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

from benchmarks.rig.fitting import fit_line, means_of_stretches
from benchmarks.rig.large import make_large_video, picture_size
from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import used_bytes
from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.finding import find_or_begin
from keepsight.engine.live_session import LiveSession
from keepsight.engine.live_watch import LiveWatch
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.turns import BatchSettings
from keepsight.journal import Journal, Quota, apply_quota
from keepsight.method.protocol import BatchModel
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.loading import load_model
from keepsight.progress import WatchProgress
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from keepsight.sources.live_clock import LiveClock
from keepsight.sources.settings import LoadSettings
from keepsight.sources.supervision import Clocks, SourceState, StateChange, SupervisedSource
from keepsight.sources.worker_pipe import decoder_memory_bytes
from keepsight.toyworld.files import ToyVideoSettings
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent

STRETCHES = 24
WARM_UP = 0.1


@dataclass(frozen=True)
class FastClock:
    """A wall clock that runs faster.

    Attributes:
        times: as fast.
        began: `time.monotonic()` when it was started.
        started_at: what it showed then, in seconds since 1970.
    """

    times: float
    began: float
    started_at: float

    def now(self) -> float:
        """What it shows, in seconds since 1970."""
        return self.started_at + (time.monotonic() - self.began) * self.times

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait so many of its seconds, or until told to stop."""
        return stop.wait(seconds / self.times)


class PacedCamera:
    """A file that comes as a camera's pictures would, in a decoding process of its own.

    Args:
        path: of the file.
        clock: what paces it.
    """

    def __init__(self, path: Path, clock: FastClock) -> None:
        self._reader = IsolatedReader(SourceAddress.parse(str(path)))
        self._clock = clock
        self._stop = threading.Event()

    @property
    def info(self) -> VideoInfo:
        """Of the file, said to be live."""
        return replace(self._reader.info, is_live=True)

    @property
    def extent(self) -> PacketExtent | None:
        """Of the file."""
        return self._reader.extent

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        """Frames, each when its time has come."""
        del start_seconds
        began = self._clock.now()
        for frame in self._reader.sampled_frames(sample_fps, silence_seconds=silence_seconds):
            early = began + frame.pts_seconds - self._clock.now()
            if early > 0 and self._clock.wait(self._stop, early):
                return
            yield frame

    def cancel(self) -> None:
        """End it from another thread."""
        self._stop.set()
        self._reader.cancel()

    def close(self) -> None:
        """Let go of it."""
        self._reader.close()


@dataclass(frozen=True)
class Reading:
    """What was found at one moment.

    Attributes:
        hours: of the simulation.
        values: by quantity.
    """

    hours: float
    values: dict[str, float]


@dataclass
class Tally:
    """What happened to all streams since it was last looked at, and in all. Lists are added to by several threads.

    Attributes:
        lags: seconds of the simulation from a clip's end to its being on disk.
        spent: seconds that clips took.
        num_clips: in all.
        num_lost: connections, in all.
        failures: of threads.
    """

    lags: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    num_clips: int = 0
    num_lost: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def take(self) -> tuple[float, float]:
        """Mean lag and mean seconds per clip since the last time."""
        lags, self.lags = self.lags, []
        spent, self.spent = self.spent, []
        return (mean(lags), mean(spent)) if lags else (float("nan"), float("nan"))


class Endurance:
    """Streams over one model and one journal, on the fast clock.

    Args:
        model: describes.
        folder: for videos and the journal.
        options: of the command line.
    """

    def __init__(self, model: BatchModel, folder: Path, options: argparse.Namespace) -> None:
        self._model = model
        self._options = options
        self._journal = Journal.create(folder / "streams.db")
        self._quota = Quota(max_file_bytes=options.quota_megabytes * 1_000_000)
        self._settings = Settings()
        self._tally = Tally()
        self._watches: list[LiveWatch] = []
        self._videos = [folder / f"camera{number}.mp4" for number in range(options.streams)]
        for number, path in enumerate(self._videos):
            make_large_video(path, ToyVideoSettings(minutes=options.file_minutes, seed=number), options.picture_size)

    def run(self) -> tuple[list[Reading], Tally]:
        """Watch until the simulated time is over, and look every few seconds."""
        clock = FastClock(self._options.times, time.monotonic(), time.time())
        readings = []
        with BatchedModel(self._model, BatchSettings(max_clips=len(self._videos))) as shared:
            self._watches = [self._watch(shared, path, clock) for path in self._videos]
            threads = [threading.Thread(target=self._follow, args=(watch, clock)) for watch in self._watches]
            for thread in threads:
                thread.start()
            with WatchProgress(_console(), self._options.hours * 3600) as progress:
                while (seconds := clock.now() - clock.started_at) < self._options.hours * 3600:
                    progress.reach(seconds)
                    time.sleep(self._options.look_seconds)
                    apply_quota(self._journal, self._quota, datetime.now(UTC))
                    readings.append(self._look((clock.now() - clock.started_at) / 3600))
            for watch in self._watches:
                watch.stop()
            for thread in threads:
                thread.join()
        self._journal.close()
        if self._tally.failures:
            raise self._tally.failures[0]
        return readings, self._tally

    @property
    def num_dropped(self) -> int:
        """Frames given up, of all streams."""
        return sum(watch.num_dropped for watch in self._watches)

    def _watch(self, model: BatchedModel, path: Path, clock: FastClock) -> LiveWatch:
        stream = find_or_begin(
            self._journal, f"camera {path.stem}", model, self._settings, is_live=True, started_at=clock.started_at
        ).stream
        session = LiveSession(model, self._journal, stream, self._settings)
        source = SupervisedSource(
            lambda: PacedCamera(path, clock),
            self._settings.sample_fps,
            LiveClock(clock.started_at),
            clocks=Clocks(wall=clock.now, wait=clock.wait),
        )
        return LiveWatch(session, source, LoadSettings())

    def _follow(self, watch: LiveWatch, clock: FastClock) -> None:
        try:
            with closing(watch.events()) as events:
                for event in events:
                    if isinstance(event, Moment):
                        self._tally.lags.append(clock.now() - clock.started_at - event.span.end_seconds)
                        self._tally.spent.append(event.seconds_spent)
                        self._tally.num_clips += 1
                    elif isinstance(event, StateChange) and event.state is SourceState.OFFLINE:
                        self._tally.num_lost += 1
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            self._tally.failures.append(error)

    def _look(self, hours: float) -> Reading:
        lag, spent = self._tally.take()
        journal = self._journal.path
        return Reading(
            hours,
            {
                "memory, MB": used_bytes("cpu") / 1e6,
                "memory of decoders, MB": sum(decoder_memory_bytes().values()) / 1e6,
                "seconds per clip": spent,
                "lag, s": lag,
                "frames waiting": sum(watch.num_waiting for watch in self._watches),
                "open files": len(list(Path("/proc/self/fd").iterdir())),
                "threads": threading.active_count(),
                "journal, MB": sum(p.stat().st_size for p in journal.parent.glob(f"{journal.name}*")) / 1e6,
                "frames dropped": self.num_dropped,
            },
        )


def _console():  # type: ignore[no-untyped-def]
    from rich.console import Console

    return Console(stderr=True)


def stretches(readings: Sequence[Reading], quantity: str) -> tuple[list[float], list[float]]:
    """Means over equal stretches of the run after its first tenth: hours and values."""
    values = [one.values[quantity] for one in readings]
    return means_of_stretches([one.hours for one in readings], values, STRETCHES, WARM_UP)


def rows_of(readings: Sequence[Reading]) -> list[list[str]]:
    """One row for each quantity: where it was, where it is, and its slope."""
    rows = []
    for quantity in readings[0].values:
        hours, values = stretches(readings, quantity)
        if not values:  # no clip was done in the time
            rows.append([quantity, *["none"] * 3, "too few points"])
            continue
        row = [quantity, f"{values[0]:.4g}", f"{values[-1]:.4g}", f"{max(values):.4g}"]
        if len(values) < 3:
            rows.append([*row, "too few points"])
            continue
        line = fit_line(hours, values)
        low, high = line.interval
        rows.append([*row, f"{line.slope:+.3g} [{low:+.3g}, {high:+.3g}]"])
    return rows


def draw(readings: Sequence[Reading], path: Path) -> None:
    """All quantities over simulated hours."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    quantities = list(readings[0].values)
    figure, axes = pyplot.subplots((len(quantities) + 1) // 2, 2, figsize=(10, 11), sharex=True)
    for axis in axes.flat[len(quantities) :]:
        axis.set_visible(False)
    for axis, quantity in zip(axes.flat, quantities, strict=False):
        hours = [one.hours for one in readings]
        axis.plot(hours, [one.values[quantity] for one in readings], color="#b9c4cf", linewidth=0.8)
        axis.plot(*stretches(readings, quantity), color="#1f4e79", linewidth=1.8)
        axis.set_title(quantity, fontsize=10, loc="left")
        axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("simulated hours")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Live streams for days on a fast clock, as a Markdown table.")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--hours", type=float, default=24.0, help="simulated")
    parser.add_argument("--times", type=float, default=32.0, help="how much faster the clock runs")
    parser.add_argument("--file-minutes", type=float, default=9.0, help="after which each camera loses its connection")
    parser.add_argument("--look-seconds", type=float, default=5.0, help="between two readings, of real time")
    parser.add_argument("--quota-megabytes", type=int, default=20, help="of the journal; full within the first tenth")
    parser.add_argument("--picture-size", type=picture_size, default=(0, 0), help="such as 1920x1080")
    parser.add_argument("--plot", type=Path, help="a PNG of everything over time")
    parser.add_argument("--readings", type=Path, help="a file for every single reading, as JSON")
    parser.add_argument("--quick", action="store_true", help="two streams, a quarter of an hour")
    options = parser.parse_args()
    if options.quick:
        options.streams, options.hours, options.times, options.look_seconds = 2, 0.25, 60.0, 0.5
        options.file_minutes = 3.0
    return options


def main() -> None:
    """Print the table."""
    options = parse()
    model = load_model("tiny", device="cpu")
    threads = settle_threads("cpu", model.info.num_parameters)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        readings, tally = Endurance(model, Path(folder), options).run()
    width, height = options.picture_size
    size = f" with pictures of {width} x {height}" if width else ""
    note = (
        f"{options.streams} streams{size} for {options.hours:g} simulated hours at {options.times:g} times real time "
        f"({(time.monotonic() - began) / 60:.0f} minutes), {threads} torch thread; {tally.num_clips:,} clips, "
        f"{tally.num_lost:,} connections lost and found again, {readings[-1].values['frames dropped']:,.0f} frames "
        f"dropped; the journal's quota is {options.quota_megabytes} MB. Means over {STRETCHES} stretches after the "
        f"first tenth of the run."
    )
    columns = ("quantity", "first", "last", "most", "slope an hour [95 %]")
    print("\n".join(heading("cpu", note) + table(columns, rows_of(readings))))
    if options.readings:
        options.readings.write_text(json.dumps([{"hours": one.hours, **one.values} for one in readings]))
    if options.plot:
        draw(readings, options.plot)


if __name__ == "__main__":
    main()
