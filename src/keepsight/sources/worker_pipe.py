"""Pipe to a decoder process, and that process's limits."""

import os
import resource
import select
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from keepsight.errors import SettingError

_CHUNK_BYTES = 1 << 20


class WorkerPipe:
    """Pipe read by lines and byte counts, with a deadline.

    Args:
        file: read end; must have no other reader.

    Attributes:
        wait_until: deadline in `time.monotonic()`; `TimeoutError` is raised after it.
        is_at_end: whether the writer closed it or died.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)
        self._buffer = bytearray()
        self.wait_until = 0.0
        self.is_at_end = False

    def read_line(self, max_bytes: int) -> bytes:
        """Read to the next newline, at most `max_bytes`."""
        while (end := self._buffer.find(b"\n", 0, max_bytes)) < 0 and len(self._buffer) < max_bytes:
            if not self._fill():
                break
        return self._take(end + 1 if end >= 0 else max_bytes)

    def read_exactly(self, num_bytes: int) -> bytes:
        """Read exactly `num_bytes`; fewer only at the end."""
        while len(self._buffer) < num_bytes and self._fill():
            continue
        return self._take(num_bytes)

    def _take(self, num_bytes: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:num_bytes])
        del self._buffer[:num_bytes]
        return taken

    def _fill(self) -> bool:
        if not self._poll.poll(max(0.0, 1000 * (self.wait_until - time.monotonic()))):
            raise TimeoutError
        chunk = os.read(self._file.fileno(), _CHUNK_BYTES)
        self._buffer += chunk
        self.is_at_end = not chunk
        return bool(chunk)


_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class DecodeLimits:
    """Limits of decoding, since a malformed or hostile file may allocate or run without end.

    Attributes:
        memory_megabytes: address space of the process. Frames of 8,192 x 8,192 take about 1,500.
        silence_seconds: timeout of a file's next frame; the process is then killed.
        open_seconds: timeout of opening a source.

    Raises:
        SettingError: a number is out of range.
    """

    memory_megabytes: int = 4_000
    silence_seconds: float = 120.0
    open_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.memory_megabytes < 300:
            raise SettingError(f"memory_megabytes must be at least 300, got {self.memory_megabytes}")
        if not (self.silence_seconds > 0 and self.open_seconds > 0):
            raise SettingError("silence_seconds and open_seconds must be above 0")


def limit_this_process(memory_megabytes: int) -> None:
    """Limit this process's address space, and disable core dumps, which would contain video."""
    limit = memory_megabytes * _MEGABYTE
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_PROCESSES = Path("/proc")
_MODULES = b"keepsight.sources."


def decoder_memory_bytes() -> dict[int, int]:
    """Resident bytes of each decoder process of this one, by process id; empty without `/proc`.

    Shared pages, such as FFmpeg's libraries, count for each process.
    """
    found = {}
    for process in _PROCESSES.glob("[0-9]*"):
        try:
            if _parent_of(process) == os.getpid() and _MODULES in (process / "cmdline").read_bytes():
                found[int(process.name)] = _resident_bytes(process)
        except (OSError, ValueError, IndexError):  # ended meanwhile
            continue
    return found


def _parent_of(process: Path) -> int:
    """Parse after the process name, which is in parentheses and may contain anything."""
    return int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])


def _resident_bytes(process: Path) -> int:
    num_pages = int((process / "statm").read_bytes().split()[1])
    return num_pages * os.sysconf("SC_PAGE_SIZE")
