"""How costs grow: with streams, captions in the journal, frames in a clip, and tokens of captions before a question.

    python -m benchmarks.scaling           # on the CPU: minutes, 4 GB of memory for 10 million captions
    python -m benchmarks.scaling --quick   # seconds, to see that it runs
    python -m benchmarks.scaling --device cuda --model 7b

Each table has measured points, medians over repeats in which all sizes take turns, and under it the exponent k of
cost ~ size^k: the slope of a least-squares line through the logarithms, with its standard error. A cost that is partly
fixed has an exponent that rises with size, so that between the last two points is given, too.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.ingest import Ingest, load
from benchmarks.rig.fitting import fit_exponent
from benchmarks.rig.journals import Past, write_past
from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import measured
from benchmarks.rig.models import SHAPES, RandomModel, random_model, words
from benchmarks.rig.toy import toy_captions
from keepsight.asking.evidence import gather_evidence
from keepsight.asking.retrieval import MMR
from keepsight.journal import Journal
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VideoModel, VisualInput
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.hardware.free_memory import free_memory_bytes
from keepsight.models.loading import load_model
from keepsight.settings import Settings

DIM = 64
BUDGET_TOKENS = 10_000
REPLY_TOKENS = 32
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes:
        streams: side by side.
        captions: in memory, as vectors of `DIM` values.
        journals: captions in a journal file.
        frames: in a clip.
        budgets: tokens of captions before a question.
        clips_each: clips of each stream.
        repeats: of everything.
    """

    streams: Sequence[int] = (1, 2, 4, 8, 16)
    captions: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    journals: Sequence[int] = (300, 1_000, 3_000, 10_000, 30_000)
    frames: Sequence[int] = (4, 8, 16, 32, 64)
    budgets: Sequence[int] = (1_000, 2_000, 4_000, 7_000, 10_000)
    clips_each: int = 3
    repeats: int = 3


QUICK = Sizes((1, 2), (1_000, 10_000), (30, 100), (4, 8), (100, 200), clips_each=1, repeats=1)


@dataclass(frozen=True)
class Point:
    """Median wall and CPU seconds at one size."""

    size: int
    wall_seconds: float
    cpu_seconds: float


Calls = dict[int, Callable[[], object]]
"""What is measured at each size."""


def points(calls: Calls, repeats: int, device: str) -> list[Point]:
    """Medians of each size, in turns; one call of each warms up."""
    costs: dict[int, list[tuple[float, float]]] = {}
    for repeat in range(1 + repeats):
        for size, call in calls.items():
            with measured(device) as cost:
                call()
            if repeat:
                costs.setdefault(size, []).append((cost.wall_seconds, cost.cpu_seconds))
    return [
        Point(size, median(wall for wall, _ in found), median(cpu for _, cpu in found)) for size, found in costs.items()
    ]


def lines_of(title: str, unit: str, found: Sequence[Point], notes: Sequence[str] = ()) -> list[str]:
    """A heading, the points, the exponents."""
    rows = [
        [f"{point.size:,}", f"{1000 * point.wall_seconds:,.1f}", f"{1000 * point.cpu_seconds:,.1f}"] for point in found
    ]
    sizes = [point.size for point in found]
    whole, end = ["exponent"], ["of the last two"]
    for name in ("wall", "cpu"):
        seconds = [max(1e-6, getattr(point, f"{name}_seconds")) for point in found]
        line = fit_exponent(sizes, seconds)
        whole.append(f"{line.slope:.2f} ± {line.error:.2f}")
        end.append(f"{fit_exponent(sizes[-2:], seconds[-2:]).slope:.2f}")
    rows += [whole, end]
    return [f"### {title}", "", *notes, *table((unit, "wall ms", "CPU ms"), rows)]


def stream_points(name: str, device: str, dtype: str, sizes: Sizes, folder: Path) -> list[Point]:
    """A clip of each of several streams that share a model, described and stored."""
    model, _ = load(name, device, dtype)
    settings = Settings(max_caption_tokens=100) if name in SHAPES else Settings()
    ingest = Ingest(model, settings, folder)
    costs: dict[int, list[tuple[float, float]]] = {}
    for _ in range(sizes.repeats):
        for streams in sizes.streams:
            run = ingest.run(streams, sizes.clips_each)
            once = (run.wall_seconds / sizes.clips_each, run.cpu_seconds / sizes.clips_each)
            costs.setdefault(streams, []).append(once)
    return [
        Point(size, median(wall for wall, _ in found), median(cpu for _, cpu in found)) for size, found in costs.items()
    ]


def retrieval_points(sizes: Sizes) -> tuple[list[Point], list[str]]:
    """Choosing captions among vectors in memory; what does not fit is left out, and said."""
    rng = np.random.default_rng(0)
    found, notes = [], []
    chooser = MMR(pool_budgets=Settings().mmr_pool_budgets)
    for count in sizes.captions:
        free = free_memory_bytes(torch.device("cpu"))
        if free is not None and 1.6 * count * DIM * 4 > free:
            notes += [f"{count:,} captions left out: {free / 1e9:.0f} GB free.", ""]
            continue
        rows, costs = unit_rows(count, rng), rng.integers(30, 61, count)
        query = rng.standard_normal(DIM, dtype=np.float32)
        calls: Calls = {count: partial(chooser.choose, rows, query, costs, BUDGET_TOKENS)}
        found += points(calls, sizes.repeats, "cpu")
    return found, notes


def unit_rows(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random directions, float32 `[count, DIM]`, made in parts."""
    rows = np.empty((count, DIM), np.float32)
    for start in range(0, count, _CHUNK):
        part = rows[start : start + _CHUNK]
        rng.standard_normal(out=part, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def journal_points(sizes: Sizes, folder: Path) -> list[Point]:
    """All that comes before the model: captions read from the journal's file, chosen, the prompt counted."""
    model: VideoModel = load_model("tiny", device="cpu")
    captions = toy_captions(100)

    def gather(path: Path) -> object:
        with Journal.open(path, read_only=True) as journal:
            stream = journal.streams.all()[0]
            return gather_evidence(
                model, journal, stream, "Where is the dog?", ask_seconds=None, settings=Settings(), live_frames=()
            )

    calls: Calls = {}
    for count in sizes.journals:
        path = folder / f"journal{count}.db"
        write_past(path, model, Settings(), Past(count, captions, has_thumbnails=False))
        calls[count] = lambda path=path: gather(path)  # type: ignore[misc]
    return points(calls, sizes.repeats, "cpu")


def clip_points(random: RandomModel, sizes: Sizes, device: str) -> list[Point]:
    """A clip encoded and described, with a memory of 16 clips of the same length before it."""
    info, model = random.adapter.info, random.adapter
    side = info.frame_size_pixels[0]
    pictures = np.random.default_rng(0).integers(0, 256, (max(sizes.frames), side, side, 3), dtype=np.uint8)
    settings = Settings()

    def describe(count: int) -> object:
        tokens = model.encode(list(pictures[:count]))
        kept = settings.memory_clips * max(1, round(settings.retention * len(tokens)))
        memory = tokens.repeat(-(-kept // len(tokens)), 1)[:kept]
        return model.describe(VisualInput(memory, tokens), DescribeRequest(max_new_tokens=REPLY_TOKENS))

    return points({count: partial(describe, count) for count in sizes.frames}, sizes.repeats, device)


def budget_points(random: RandomModel, sizes: Sizes, device: str) -> list[Point]:
    """A question of 64 tokens answered after so many tokens of captions."""

    def answer(count: int) -> Iterator[str] | list[str]:
        return list(random.adapter.answer(AnswerRequest(words(count), words(64), max_new_tokens=REPLY_TOKENS)))

    return points({count: partial(answer, count) for count in sizes.budgets}, sizes.repeats, device)


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="How costs grow, as Markdown tables.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", help="float32 on the CPU and float16 on CUDA by default")
    parser.add_argument("--model", default="tiny", help="for streams: a bundled model, or a shape")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="for clips and budgets; small on the CPU, 7b on CUDA")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two sizes of each, one repeat")
    return parser.parse_args()


def main() -> None:
    """Print all tables."""
    options = parse()
    device, on_cuda = options.device, options.device.startswith("cuda")
    dtype = options.dtype or ("float16" if on_cuda else "float32")
    shape = "smallest" if options.quick else options.shape or ("7b" if on_cuda else "small")
    sizes = QUICK if options.quick else Sizes(repeats=options.repeats)
    settle_threads(device, 0)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        streams = stream_points(options.model, device, dtype, sizes, Path(name))
        journals = journal_points(sizes, Path(name))
    retrieval, notes = retrieval_points(sizes)
    random = random_model(shape, device, dtype)
    clips, budgets = clip_points(random, sizes, device), budget_points(random, sizes, device)
    note = (
        f"Streams: {options.model}. Clips and budgets: random weights, {SHAPES[shape].in_words}, "
        f"{random.adapter.info.tokens_per_step} tokens a frame, replies of {REPLY_TOKENS} tokens. {dtype}, medians of "
        f"{sizes.repeats}, {time.perf_counter() - started:.0f} s in all."
    )
    lines = heading(device, note)
    lines += lines_of("A clip of every stream", "streams", streams)
    lines += lines_of(f"Choosing captions, vectors of {DIM} values in memory", "captions", retrieval, notes)
    lines += lines_of("From the journal's file to the prompt, bundled model", "captions", journals)
    lines += lines_of("Encoding and describing a clip", "frames", clips)
    lines += lines_of("A question", "tokens of captions", budgets)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
