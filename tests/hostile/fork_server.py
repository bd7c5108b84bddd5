"""Reads many files, each in a process of its own, which is forked from one that has imported everything.

    python -m tests.hostile.fork_server    # a path a line on stdin, an outcome in JSON a line on stdout

A forked process does what `keepsight.sources.worker` does: the limits, `open_video`, sampled frames. What it saves is
the start of an interpreter. A crash ends the fork alone.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from keepsight.errors import DecoderDiedError, KeepsightError
from keepsight.sources.worker_pipe import DecodeLimits, limit_this_process
from keepsight.video import open_video
from tests.child_process import importing_tests
from tests.hostile.outcomes import MOST_FRAMES, SAMPLE_FPS, Outcome
from tests.patience import PROCESS_SECONDS

MEMORY_MEGABYTES = DecodeLimits().memory_megabytes

_LOOK_SECONDS = 0.1


def read_here(path: str) -> Outcome:
    """Read a file in this process."""
    num_frames = 0
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    error = message = ""
    try:
        with open_video(path) as reader:
            for frame in reader.sampled_frames(SAMPLE_FPS):
                height, width, _ = frame.image.shape
                num_frames, first, last = num_frames + 1, first or (width, height), (width, height)
                if num_frames == MOST_FRAMES:
                    break
    except KeepsightError as raised:
        error, message = type(raised).__name__, str(raised)
    except MemoryError:
        error, message = DecoderDiedError.__name__, "decoding exceeds the memory limit"
    except Exception as raised:  # noqa: BLE001 - the edge of a process, as in the worker
        trace = raised.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
        error, message = DecoderDiedError.__name__, f"decoding failed: {type(raised).__name__} in {place}: {raised}"
    return Outcome(num_frames, first if first == last else first + last, error, message)


def read_apart(path: str, most_seconds: float = 10.0, hangs_after_seconds: float = PROCESS_SECONDS) -> Outcome:
    """Read a file in a fork of this process.

    Args:
        path: the file.
        most_seconds: CPU time after which it is late; on a busy machine that takes longer, which is no fault.
        hangs_after_seconds: time on the clock after which it is, whatever it did.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        limit_this_process(MEMORY_MEGABYTES)
        with os.fdopen(writing, "w") as out:
            json.dump(asdict(read_here(path)), out)
        os._exit(0)
    os.close(writing)
    said, is_late = _read_from(child, reading, most_seconds, hangs_after_seconds)
    if is_late:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    outcome = Outcome(is_late=is_late)
    if said and not is_late:
        values = json.loads(said)
        outcome = Outcome(**values | {"size": tuple(values["size"])})
    ended_by = 0 if is_late or not os.WIFSIGNALED(status) else os.WTERMSIG(status)
    return replace(outcome, signal=ended_by, peak_bytes=usage.ru_maxrss * 1024)


def _read_from(child: int, descriptor: int, most_seconds: float, hangs_after_seconds: float) -> tuple[bytes, bool]:
    """What a process writes, and whether it was late."""
    said, deadline = b"", time.monotonic() + hangs_after_seconds
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while time.monotonic() < deadline and seconds_of_work(child) < most_seconds:
            if not select.select([pipe], [], [], _LOOK_SECONDS)[0]:
                continue
            chunk = pipe.read(65_536)
            if not chunk:
                return said, False
            said += chunk
    return said, True


def seconds_of_work(process: int) -> float:
    """CPU time of a process that was not waited for (Linux manual, proc_pid_stat(5): utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ForkServer:
    """Starts this module as a program, and asks it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.fork_server"],
            env=importing_tests(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @property
    def process_id(self) -> int:
        """Of the process that forks."""
        return self._process.pid

    def read(self, path: Path) -> Outcome:
        """Read a file."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the fork server has no pipes")
        self._process.stdin.write(json.dumps(str(path)) + "\n")
        self._process.stdin.flush()
        values = json.loads(self._process.stdout.readline())
        return Outcome(**values | {"size": tuple(values["size"])})

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def main() -> None:
    """Serve until stdin ends."""
    for line in sys.stdin:
        print(json.dumps(asdict(read_apart(json.loads(line)))), flush=True)  # noqa: T201 - its only channel


if __name__ == "__main__":
    main()
