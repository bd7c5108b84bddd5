"""Resident memory of this process on Linux, of its own pages and of those mapped from files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = Path("/proc/self/status")
_LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Resident:
    """Bytes in memory.

    Attributes:
        anonymous: the process' own, which only swapping can release.
        mapped: pages of files, which the kernel may drop and read again.
    """

    anonymous: int
    mapped: int

    @classmethod
    def now(cls) -> Resident:
        """In memory now."""
        return cls(status_bytes("RssAnon"), status_bytes("RssFile"))

    @property
    def total(self) -> int:
        """Both."""
        return self.anonymous + self.mapped


@dataclass
class Peaks:
    """Largest numbers seen; filled in while a block runs.

    Attributes:
        anonymous: of the process' own bytes.
        mapped: of bytes of files.
    """

    anonymous: int = 0
    mapped: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until the block is over."""
        while not self._over.wait(_LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once."""
        seen = Resident.now()
        self.anonymous, self.mapped = max(self.anonymous, seen.anonymous), max(self.mapped, seen.mapped)


@contextmanager
def peaks() -> Iterator[Peaks]:
    """Watch memory from a thread while a block runs: its kinds have no peak in the kernel's own books."""
    found = Peaks()
    thread = threading.Thread(target=found.watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found._over.set()
        thread.join()
        found.look()


def reset_peak() -> None:
    """Let the kernel's peak begin at what is in memory now: proc(5), `clear_refs`."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """Most bytes in memory since `reset_peak`, of both kinds."""
    return status_bytes("VmHWM")


def status_bytes(name: str) -> int:
    """A line of `/proc/self/status`, which counts in KiB."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)
