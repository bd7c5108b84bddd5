"""What an export costs the server: a long stream as JSON, WebVTT and SubRip, and as it would be a line at a time.

    python -m benchmarks.export                  # 50,000 clips, 18 days of one camera
    python -m benchmarks.export --quick          # seconds, to see that it runs

A server answers on loopback in this process; who asks is another one, so that CPU seconds are the server's alone. Both
ways send the same bytes, which is checked, and take turns. Meanwhile a third process asks for the list of streams again
and again: how long it waits at most.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.rig.journals import Past, write_past
from benchmarks.rig.machine import heading, table
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios
from keepsight.hub.service import StreamService
from keepsight.models.loading import load_model
from keepsight.server.http import export
from keepsight.server.http.app import make_app
from keepsight.server.http.running import HttpServer, listen
from keepsight.server.settings import ServerSettings
from keepsight.settings import Settings

FORMATS = ("json", "vtt", "srt")
CAPTIONS = tuple(
    f"in the kitchen: the {word} arrives & the <cat> stays, \u201c{word}\u201d." for word in ("dog", "bus")
)
FETCH = """
import hashlib, sys, urllib.request
digest, num_bytes = hashlib.sha256(), 0
with urllib.request.urlopen(sys.argv[1]) as reply:
    while piece := reply.read(1 << 16):
        digest.update(piece)
        num_bytes += len(piece)
print(num_bytes, digest.hexdigest())
"""
ASK = """
import sys, time, urllib.request
longest = 0.0
while True:
    began = time.perf_counter()
    urllib.request.urlopen(sys.argv[1]).read()
    longest = max(longest, time.perf_counter() - began)
    print(longest, flush=True)
    time.sleep(0.05)
"""


@dataclass(frozen=True)
class Run:
    """One export.

    Attributes:
        cpu_seconds: of the server.
        longest_wait_seconds: of who asked something else meanwhile; 0 if nobody had the time.
        content: length and digest.
    """

    cpu_seconds: float
    longest_wait_seconds: float
    content: str


@contextmanager
def server(folder: Path, num_clips: int) -> Iterator[tuple[str, str]]:
    """A server over a long stream; its address, and the stream's id."""
    model, path = load_model("tiny"), folder / "journal.db"
    stream = write_past(path, model, Settings(), Past(num_clips, CAPTIONS, has_thumbnails=False))
    settings = ServerSettings(path, roots=(folder,), port=0)
    with listen(settings) as listening, StreamService(model, settings, Settings()) as service:
        running = HttpServer(make_app(service, settings), service)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", stream.id
        finally:
            running.should_exit = True
            thread.join()


def fetch(address: str, stream_id: str, format: str) -> Run:
    """Have another process take an export."""
    asking = subprocess.Popen(
        [sys.executable, "-c", ASK, f"{address}/v1/streams"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    began = time.process_time()
    url = f"{address}/v1/streams/{stream_id}/export?format={format}"
    done = subprocess.run([sys.executable, "-c", FETCH, url], stdout=subprocess.PIPE, text=True, check=True)
    spent = time.process_time() - began
    asking.terminate()
    waits = (asking.communicate()[0] or "0").split()
    return Run(spent, float(waits[-1]) if waits else 0.0, done.stdout.strip())


@contextmanager
def a_line_at_a_time() -> Iterator[None]:
    """As it would be if each line were handed on by itself."""
    usual = export.PIECE_CHARACTERS
    export.PIECE_CHARACTERS = 1
    try:
        yield
    finally:
        export.PIECE_CHARACTERS = usual


def measure(num_clips: int, repeats: int) -> tuple[list[str], list[Ratio]]:
    """The table, and the costs over those of a line at a time."""
    rows, ratios = [], []
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), num_clips) as (address, stream_id):
        for format in FORMATS:
            pieces, lines = [], []
            for _ in range(repeats):
                pieces.append(fetch(address, stream_id, format))
                with a_line_at_a_time():
                    lines.append(fetch(address, stream_id, format))
            if len({run.content for run in (*pieces, *lines)}) > 1:
                raise SystemExit(f"the two ways do not send the same {format}")
            rows.append(row(format, pieces, lines))
            pairs = zip(pieces, lines, strict=True)
            values = tuple(piece.cpu_seconds / line.cpu_seconds for piece, line in pairs)
            ratios.append(Ratio(f"in pieces / a line at a time, {format}", values))
    names = ("MB", "CPU s", "a line at a time", "ratio", "longest wait of others s", "a line at a time")
    return table(("export", *names), rows), ratios


def row(format: str, pieces: list[Run], lines: list[Run]) -> list[str]:
    """One format: medians, and the median of the ratios within a repeat."""
    ratio = median(line.cpu_seconds / piece.cpu_seconds for piece, line in zip(pieces, lines, strict=True))
    cpu = [f"{median(run.cpu_seconds for run in runs):.2f}" for runs in (pieces, lines)]
    waits = [f"{max(run.longest_wait_seconds for run in runs):.2f}" for runs in (pieces, lines)]
    return [format, f"{int(pieces[0].content.split()[0]) / 1e6:.1f}", *cpu, f"{ratio:.1f}", *waits]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    add_ratios_option(parser)
    given = parser.parse_args()
    num_clips, repeats = (300, 1) if given.quick else (given.clips, given.repeats)
    print("\n".join(heading("cpu", f"{num_clips:,} clips, medians of {repeats}.")))
    lines, ratios = measure(num_clips, repeats)
    write_ratios(given.ratios, ratios)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
