"""What becomes of reading thousands of damaged media files.

    python -m benchmarks.fuzz --files 10000 --seed 0    # minutes
    python -m benchmarks.fuzz --quick                   # seconds, to see that it runs

Files of the corpus in tests/hostile are changed (flipped bits, headers, lengths, blocks swapped, repeated or dropped,
cut off, spliced with another one; one to three of these) and read to their end in a process of its own each, with the
limits of the product's decoding process and ten seconds. That process is forked from one which has imported all that is
needed, so that a file takes milliseconds instead of the start of an interpreter. Every file is determined by the seed
and its number.

Some files also go through `IsolatedReader`, as in the product, in the process of this script: it must get the same
error or the same number of frames, and neither it nor the process that forks may keep memory or file descriptors.

Exit status 1 where a file gave an error that is none of those foreseen, a reader kept file descriptors, or the two ways
differ. A crash inside FFmpeg is counted and no failure: the process boundary is there for it.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.rig.machine import heading, table
from keepsight.errors import KeepsightError
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from tests.hostile import corpus
from tests.hostile.fork_server import ForkServer
from tests.hostile.mutations import mutated
from tests.hostile.outcomes import ERROR_KINDS, MOST_FRAMES, SAMPLE_FPS, Outcome

LARGEST_SOURCE_BYTES = 60_000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Usage:
    """What a process holds: bytes of memory and file descriptors."""

    num_bytes: int
    num_descriptors: int

    @classmethod
    def of(cls, process: int) -> "Usage":
        """At present; from /proc."""
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
        return cls(pages * _PAGE_BYTES, len(list(Path(f"/proc/{process}/fd").iterdir())))

    def growth_to(self, later: "Usage") -> str:
        """In words."""
        return (
            f"{(later.num_bytes - self.num_bytes) / 1e6:+.1f} MB, "
            f"{later.num_descriptors - self.num_descriptors:+d} file descriptors"
        )


@dataclass
class Tally:
    """What came of the files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    unforeseen: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    num_frames: int = 0
    num_isolated: int = 0
    peak_bytes: int = 0
    longest_seconds: float = 0.0

    def add(self, outcome: Outcome, source: str, seconds: float) -> str:
        """Count an outcome; gives what it is called."""
        name = name_of(outcome)
        self.outcomes[name] += 1
        self.num_frames += outcome.num_frames
        self.peak_bytes = max(self.peak_bytes, outcome.peak_bytes)
        self.longest_seconds = max(self.longest_seconds, seconds)
        if is_crash(outcome):
            self.crashes[f"{source}: {name}"] += 1
        elif outcome.error and outcome.error not in ERROR_KINDS:
            self.unforeseen[f"{outcome.error}: {outcome.message}"] += 1
        return name


def is_crash(outcome: Outcome) -> bool:
    """Whether the process that read did not come to an end of its own."""
    return bool(outcome.signal or outcome.is_late)


def name_of(outcome: Outcome) -> str:
    """What the table calls it."""
    if outcome.is_late:
        return "ended after 10 s"
    if outcome.signal:
        return f"crashed by signal {outcome.signal}"
    if not outcome.error:
        return "frames" if outcome.num_frames < MOST_FRAMES else f"{MOST_FRAMES} frames, then left"
    return f"frames, then {outcome.error}" if outcome.num_frames else outcome.error


def sources() -> list[tuple[str, bytes]]:
    """Small files of the corpus that give frames, with their names."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for sample, path in corpus.write_corpus(Path(folder)):
            is_video = path.is_file() and sample.expected.frames[1] > 0
            if is_video and path.stat().st_size <= LARGEST_SOURCE_BYTES:
                found.append((sample.name, path.read_bytes()))
    return found


def read_isolated(path: Path) -> Outcome:
    """Read a file as the product does."""
    num_frames = 0
    try:
        with IsolatedReader(SourceAddress.parse(str(path))) as reader:
            for _ in reader.sampled_frames(SAMPLE_FPS):
                num_frames += 1
                if num_frames == MOST_FRAMES:
                    break
    except KeepsightError as error:
        return Outcome(num_frames, error=type(error).__name__, message=str(error))
    return Outcome(num_frames)


def compare(tally: Tally, path: Path, number: int, outcome: Outcome) -> None:
    """Read a file the product's way, too, and note where that differs."""
    found = read_isolated(path)
    tally.num_isolated += 1
    expected = "DecoderDiedError" if is_crash(outcome) else outcome.error
    if found.error != expected or (found.num_frames != outcome.num_frames and not is_crash(outcome)):
        tally.differences.append(f"file {number}: {name_of(outcome)}, but {name_of(found)} in the product's way")
    if not found.message.isprintable():
        tally.differences.append(f"file {number}: an error that is not one line")


def fuzz(options: argparse.Namespace, server: ForkServer, folder: Path) -> tuple[Tally, list[str]]:
    """Read all files; gives the counts, and how memory and descriptors grew."""
    files = sources()
    contents = [data for _, data in files]
    tally = Tally()
    server.read(folder)  # the first one imports and allocates
    read_isolated(folder / "none.mp4")
    before = {process: Usage.of(process) for process in (server.process_id, os.getpid())}
    for number in range(options.first, options.first + options.files):
        rng = np.random.default_rng([options.seed, number])
        name, data = files[int(rng.integers(len(files)))]
        data, changes = mutated(data, contents, rng)
        path = folder / f"{number}{Path(name).suffix}"
        path.write_bytes(data)
        started = time.perf_counter()
        outcome = server.read(path)
        found = tally.add(outcome, name, time.perf_counter() - started)
        tally.changes.update(changes)
        if options.isolated_every and number % options.isolated_every == 0:
            compare(tally, path, number, outcome)
        if options.keep and (is_crash(outcome) or outcome.error not in ("", *ERROR_KINDS)):
            options.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, options.keep / f"{found.replace(' ', '-')}-{number}-{name}")
        path.unlink()
    growth = [usage.growth_to(Usage.of(process)) for process, usage in before.items()]
    return tally, growth


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Outcomes of reading damaged media files, as Markdown tables.")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to see one again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--isolated-every", type=int, default=100, help="read each so many-th the product's way, too")
    parser.add_argument("--keep", type=Path, help="folder for files that crashed, hung, or gave an unforeseen error")
    parser.add_argument("--quick", action="store_true", help="20 files")
    options = parser.parse_args()
    if options.quick:
        options.files, options.isolated_every = 20, 10
    return options


def main() -> None:
    """Print the tables."""
    options = parse()
    server = ForkServer()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tally, growth = fuzz(options, server, Path(folder))
    seconds = time.perf_counter() - started
    server.close()
    note = (
        f"PyAV {version('av')}; {options.files:,} files, seed {options.seed}; {options.files / seconds:.0f} files a "
        f"second, {tally.num_frames:,} frames; largest process {tally.peak_bytes / 1e6:.0f} MB, longest file "
        f"{tally.longest_seconds:.1f} s."
    )
    lines = heading("cpu", note)
    rows = [[name, f"{count:,}", f"{100 * count / options.files:.2f}"] for name, count in tally.outcomes.most_common()]
    lines += table(("outcome", "files", "%"), rows)
    lines += table(("change", "times"), [[name, f"{count:,}"] for name, count in tally.changes.most_common()])
    checks = [
        ["files that crashed or hung, by what they were made from", _listed(tally.crashes)],
        ["errors that were not foreseen", _listed(tally.unforeseen)],
        [f"of {tally.num_isolated} files read the product's way, different", _lines(tally.differences)],
        ["growth of the process that forks", growth[0]],
        ["growth of the process that reads the product's way", growth[1]],
    ]
    lines += table(("check", "found"), checks)
    print("\n".join(lines))
    is_leaking = any("+0 file" not in grown for grown in growth)
    sys.exit(1 if tally.unforeseen or tally.differences or is_leaking else 0)


def _listed(counts: Counter[str]) -> str:
    return "; ".join(f"{name} ({count})" for name, count in counts.most_common(20)) or "none"


def _lines(texts: list[str]) -> str:
    return "; ".join(texts[:20]) or "none"


if __name__ == "__main__":
    main()
