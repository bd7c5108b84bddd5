"""How many streams one machine watches, where the time goes, and how far that is from the least possible.

    python -m benchmarks.ingest                            # the bundled model on the CPU: minutes
    python -m benchmarks.ingest --quick                    # seconds, to see that it runs
    python -m benchmarks.ingest --device cuda --model 7b   # random weights, captions of 100 tokens

Streams share one model through `BatchedModel`, at most as many clips together as there are streams. Each pushes clips
of decoded toy-world frames as fast as its captions come, full FIFO memory in front, and stores them in a journal of its
own on disk. At 0.5 frames a second a clip spans 32 s; that many streams are sustained whose captions all come within
the span of a clip: 32 s times clips a second, if no clip takes longer than 32 s.

Parts are CPU seconds of the threads that do them (on CUDA and with several torch threads, seconds until the device has
finished, from a run of its own that does one part at a time): encoding frames, the pass over the prompt, the passes
over the caption's tokens, and the rest, which is thumbnails, selection, embedding, storing and waking threads. The
floor of each part is its arithmetic over the rate of a product of large matrices or its bytes over the rate of copying,
whichever is more, both measured here.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from torch import Tensor
from transformers import AutoConfig

from benchmarks.rig.floor import ClipArithmetic, Rates, measured_rates
from benchmarks.rig.journals import SOURCE, Past, write_past
from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import now, synchronize
from benchmarks.rig.models import SHAPES, random_model
from benchmarks.rig.toy import toy_captions, toy_frames
from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.session import StreamSession
from keepsight.engine.turns import BatchSettings
from keepsight.engine.watcher import Watcher
from keepsight.method.protocol import BatchModel, DescribeRequest, Description, ModelInfo, VisualInput
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.models.loading import load_model
from keepsight.models.registry import list_models
from keepsight.settings import Settings
from keepsight.video import Frame

CLIP_SECONDS = 32.0
PARTS = ("encoding", "prompt", "caption")


@dataclass
class Log:
    """What the model did.

    Attributes:
        seconds: by part.
        passes: one entry a batch: clips in it, and passes over caption tokens.
        caption_tokens: generated, of all clips.
    """

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    passes: list[tuple[int, int]] = field(default_factory=list)
    caption_tokens: int = 0


class LoggedModel:
    """A model that writes down what its parts take. All other members are the model's own.

    Args:
        model: does the work.
        waits: count wall time instead of the thread's CPU time, wait for the device after each part, and let no other
            part begin meanwhile.
    """

    def __init__(self, model: BatchModel, *, waits: bool) -> None:
        self._model = model
        self._waits = waits
        self._adding = threading.Lock()
        self._working: AbstractContextManager[Any] = threading.Lock() if waits else nullcontext()
        self.log = Log()
        for name in ("answer", "embed", "count_tokens", "count_prompt_tokens", "max_memory_tokens", "token_grid"):
            setattr(self, name, getattr(model, name))

    @property
    def info(self) -> ModelInfo:
        """Of the model."""
        return self._model.info

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Encode frames, timed as `encoding`."""
        with self._part("encoding"):
            return self._model.encode(frames)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        """One clip alone."""
        with self._part("caption"):
            return self._model.describe(clip, request)

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        """Not used by `BatchedModel`."""
        return self._model.describe_batch(clips, request)

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        """The first pass is the prompt's; those after it feed caption tokens back."""
        work = self._model.describing(clips, request)
        part, num_passes = "prompt", 0
        while True:
            try:
                with self._part(part):
                    next(work)
            except StopIteration as done:
                self.log.passes.append((len(clips), num_passes))
                self.log.caption_tokens += sum(one.num_caption_tokens for one in done.value)
                return list(done.value)
            num_passes += part == "caption"
            part = "caption"
            yield

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Add what the block takes to a part."""
        with self._working:
            started = self._clock()
            try:
                yield
            finally:
                spent = self._clock() - started
                with self._adding:
                    self.log.seconds[name] += spent

    def _clock(self) -> float:
        return now(self.info.device) if self._waits else time.thread_time()


@dataclass(frozen=True)
class Run:
    """What streams side by side took.

    Attributes:
        num_streams: as many.
        num_clips: described, of all streams.
        wall_seconds: from the first clip to the last caption stored.
        cpu_seconds: of the whole process.
        latencies: seconds from a clip's last frame to its caption stored.
        log: of the model.
    """

    num_streams: int
    num_clips: int
    wall_seconds: float
    cpu_seconds: float
    latencies: tuple[float, ...]
    log: Log


Runs = dict[str, list[Run]]
"""Repeats by name."""

WHOLE_COLUMNS = (
    "streams",
    "mean batch",
    "clips/s",
    "streams at 0.5 fps",
    "latency s",
    "longest s",
    "clips a CPU second",
)
PARTS_COLUMNS = ("streams", "tokens a caption", "prompt (floor)", "caption (floor)", "rest", "all", "floor reached")


class Ingest:
    """Runs streams over a model; each begins behind the same past.

    Args:
        model: describes.
        settings: of every stream.
        folder: for journals; that with the past is written here.
    """

    def __init__(self, model: BatchModel, settings: Settings, folder: Path) -> None:
        self.model = model
        self._settings = settings
        self._folder = folder
        self._past = folder / "past.db"
        write_past(self._past, model, settings, Past(settings.memory_clips, toy_captions(settings.memory_clips)))

    def run(self, num_streams: int, clips_each: int, *, waits: bool = False, together: bool = True) -> Run:
        """Watch streams side by side.

        Args:
            num_streams: 1 or more.
            clips_each: clips of each stream.
            waits: see `LoggedModel`.
            together: through `BatchedModel`; otherwise one stream over the model itself, captions guessed ahead.
        """
        logged = LoggedModel(self.model, waits=waits)
        first = self._settings.memory_clips
        frames = [
            toy_frames(self._settings, first_clip=first, num_clips=clips_each, seed=1 + stream)
            for stream in range(num_streams)
        ]
        with ExitStack() as stack:
            shown: Any = logged
            if together:
                shown = stack.enter_context(BatchedModel(shown, BatchSettings(max_clips=num_streams)))
            journals = [self._copy(number) for number in range(num_streams)]
            watchers = [stack.enter_context(Watcher(shown, journal, self._settings)) for journal in journals]
            sessions = [watcher.begin(SOURCE) for watcher in watchers]
            threads = stack.enter_context(ThreadPoolExecutor(num_streams))
            synchronize(self.model.info.device)
            wall, cpu = time.perf_counter(), time.process_time()
            watching = partial(latencies_of, clip_frames=self._settings.frames_per_clip)
            seconds = list(threads.map(watching, sessions, frames))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Run(num_streams, num_streams * clips_each, wall, cpu, tuple(chain.from_iterable(seconds)), logged.log)

    def _copy(self, number: int) -> Path:
        path = self._folder / f"stream{number}.db"
        for old in self._folder.glob(f"{path.name}*"):
            old.unlink()
        shutil.copy(self._past, path)
        return path


def latencies_of(session: StreamSession, frames: Sequence[Frame], clip_frames: int) -> list[float]:
    """Push frames as fast as they are taken; seconds of each push that completed a clip."""
    seconds = []
    for number, frame in enumerate(frames, start=1):
        started = time.perf_counter()
        moment = session.push(frame)
        if moment is None and number % clip_frames == 0:
            raise SystemExit("a clip was not described")
        if moment is not None:
            seconds.append(time.perf_counter() - started)
    return seconds


def floors(run: Run, arithmetic: ClipArithmetic, rates: Rates, frames: int, prompt_tokens: int) -> dict[str, float]:
    """Least seconds per clip of each part, for the batches and captions that there were."""
    total = {"encoding": arithmetic.encoding(frames).seconds(rates) * run.num_clips, "prompt": 0.0, "caption": 0.0}
    for num_clips, num_passes in run.log.passes:
        total["prompt"] += arithmetic.prompt(num_clips, prompt_tokens).seconds(rates)
        middle = prompt_tokens + num_passes / 2
        total["caption"] += num_passes * arithmetic.step(num_clips, middle).seconds(rates)
    return {part: seconds / run.num_clips for part, seconds in total.items()}


def throughput_row(runs: Sequence[Run], name: str) -> list[str]:
    """Clips a second and latencies, medians over repeats."""
    rate = median(run.num_clips / run.wall_seconds for run in runs)
    cpu_rate = median(run.num_clips / run.cpu_seconds for run in runs)
    latency = median(median(run.latencies) for run in runs)
    longest = max(max(run.latencies) for run in runs)
    held = int(rate * CLIP_SECONDS) if longest < CLIP_SECONDS else 0
    batches = [size for run in runs for size, _ in run.log.passes]
    mean_batch = f"{sum(batches) / len(batches):.1f}" if batches else "1.0"
    return [name, mean_batch, f"{rate:.2f}", f"{held}", f"{latency:.2f}", f"{longest:.2f}", f"{cpu_rate:.2f}"]


def parts_row(runs: Sequence[Run], name: str, found: Sequence[dict[str, float]], *, by_wall: bool) -> list[str]:
    """Milliseconds per clip of each part with its floor, medians over repeats."""
    spent = {part: median(run.log.seconds[part] / run.num_clips for run in runs) for part in PARTS}
    least = {part: median(floor[part] for floor in found) for part in PARTS}
    total = median((run.wall_seconds if by_wall else run.cpu_seconds) / run.num_clips for run in runs)
    cells = [f"{1000 * spent[part]:.1f} ({1000 * least[part]:.1f})" for part in PARTS]
    rest = max(0.0, total - sum(spent.values()))
    tokens = median(run.log.caption_tokens / run.num_clips for run in runs)
    share = sum(least.values()) / total
    return [name, f"{tokens:.0f}", *cells, f"{1000 * rest:.1f}", f"{1000 * total:.1f}", f"{share:.0%}"]


def load(name: str, device: str, dtype: str) -> tuple[BatchModel, object]:
    """The model of that name, bundled or of random weights, with its configuration."""
    bundled = {model.name: model.folder for model in list_models()}
    if name in bundled:
        model = load_model(name, device=device, dtype=dtype)
        return model, AutoConfig.from_pretrained(bundled[name])
    random = random_model(name, device, dtype)
    return random.adapter, random.config


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Streams that one machine watches, as Markdown tables.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", help="float32 on the CPU and float16 on CUDA by default")
    parser.add_argument("--model", default="tiny", help=f"a bundled model, or a shape: {', '.join(SHAPES)}")
    parser.add_argument("--streams", type=int, nargs="+", help="1 to 16 on the CPU, 1 to 64 on CUDA")
    parser.add_argument("--clips", type=int, default=24, help="clips of a run, at least 3 a stream")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two streams, a few clips, one repeat")
    options = parser.parse_args()
    on_cuda = options.device.startswith("cuda")
    options.dtype = options.dtype or ("float16" if on_cuda else "float32")
    options.streams = options.streams or ([1, 2, 4, 8, 16, 32, 64] if on_cuda else [1, 2, 4, 8, 16])
    options.clips_each = 3
    if options.quick:
        options.streams, options.clips, options.repeats, options.clips_each = [1, 2], 2, 1, 1
    return options


def collect(ingest: Ingest, options: argparse.Namespace, *, by_wall: bool) -> tuple[Runs, Runs]:
    """Runs by name in turns: those that are timed as a whole, and those whose parts are."""
    whole: Runs = {}
    parts: Runs = {}
    ingest.run(1, 1)
    for _ in range(options.repeats):
        whole.setdefault("1, alone", []).append(ingest.run(1, options.clips, together=False))
        for streams in options.streams:
            clips_each = max(options.clips_each, options.clips // streams)
            run = ingest.run(streams, clips_each)
            whole.setdefault(f"{streams}", []).append(run)
            parts.setdefault(f"{streams}", []).append(ingest.run(streams, clips_each, waits=True) if by_wall else run)
    return whole, parts


def prompt_length(model: BatchModel, settings: Settings) -> int:
    """Tokens of the prompt of a clip behind a full memory."""
    num_tokens = model.info.num_visual_tokens(settings.frames_per_clip)
    room = model.max_memory_tokens(num_tokens, DescribeRequest(max_new_tokens=1))
    memory = min(settings.memory_clips * round(num_tokens * settings.retention), room)
    return model.info.context_window_tokens - 1 - room + memory


def main() -> None:
    """Print both tables."""
    options = parse()
    model, config = load(options.model, options.device, options.dtype)
    threads = settle_threads(options.device, model.info.num_parameters)
    # A thread's CPU time is that of its work only where torch has no other threads to give it to.
    by_wall = options.device.startswith("cuda") or threads > 1
    settings = Settings(max_caption_tokens=128 if options.model not in SHAPES else 100)
    item_bytes = DTYPES[options.dtype].itemsize
    rates = measured_rates(options.device, options.dtype, model.info.num_parameters * item_bytes)
    arithmetic, length = ClipArithmetic(config, item_bytes), prompt_length(model, settings)
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = collect(Ingest(model, settings, Path(folder)), options, by_wall=by_wall)
    rows = []
    for name, runs in parts.items():
        least = [floors(run, arithmetic, rates, settings.frames_per_clip, length) for run in runs]
        rows.append(parts_row(runs, name, least, by_wall=by_wall))
    note = (
        f"{options.model}, {model.info.num_parameters / 1e6:.1f} M weights in {options.dtype}, {threads} threads; "
        f"clips of {settings.frames_per_clip} frames, {model.info.num_visual_tokens(settings.frames_per_clip)} visual "
        f"tokens, prompts of {length} tokens; medians of {options.repeats}. Measured rates: "
        f"{rates.flops / 1e9:,.0f} GFLOP/s, {rates.bytes_a_second / 1e9:,.0f} GB/s."
    )
    lines = heading(options.device, note)
    lines += table(WHOLE_COLUMNS, [throughput_row(runs, name) for name, runs in whole.items()])
    clock = "wall ms" if by_wall else "CPU ms"
    lines += table((*PARTS_COLUMNS[:2], f"encoding {clock} a clip (floor)", *PARTS_COLUMNS[2:]), rows)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
