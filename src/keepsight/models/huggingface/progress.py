"""Progress of a download: one line of what comes, then a bar with sizes and time left on a terminal."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class DownloadProgress:
    """Bytes of several files that are downloaded one after the other.

    Args:
        console: console to draw on; nothing is drawn unless it is a terminal.
        total_bytes: of all files.
    """

    def __init__(self, console: Console, total_bytes: int) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("downloading"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=total_bytes)
        self._lock = threading.Lock()
        self._bytes_of: dict[str, float] = {}

    def of_file(self, file: str) -> Any:
        """What the hub's library shall call instead of `tqdm.tqdm` to report on a file."""
        return partial(FileBar, self, file)

    def reach(self, file: str, num_bytes: float) -> None:
        """A file has this many bytes. Of several reports of one file the highest counts: storage that sends only what
        is new reports the bytes received beside the bytes written.
        """
        with self._lock:
            self._bytes_of[file] = max(num_bytes, self._bytes_of.get(file, 0))
            self._bar.update(self._task, completed=self.num_bytes)

    @property
    def num_bytes(self) -> float:
        """Bytes so far, of all files."""
        return sum(self._bytes_of.values())

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()


class FileBar:
    """Behaves as a `tqdm.tqdm` as far as the hub's library uses one, and reports to a `DownloadProgress`."""

    def __init__(
        self, progress: DownloadProgress, file: str, total: float | None = None, initial: float = 0, **_: Any
    ) -> None:
        self._progress, self._file = progress, file
        self.total, self.n = total, initial
        progress.reach(file, initial)

    def update(self, num_bytes: float | None = 1) -> None:
        """So many bytes more, or fewer if a download starts over."""
        self.n += num_bytes or 0
        self._progress.reach(self._file, self.n)

    def refresh(self, *_: Any, **__: Any) -> None:
        """Drawn by the whole bar."""

    set_description = set_description_str = set_postfix_str = close = refresh

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def say(line: str, console: Console | None = None) -> None:
    """Print one line on a console, or on stderr."""
    console = console or _stderr()
    console.print(f"keepsight: {line}", markup=False)


@contextmanager
def shown_download(line: str, total_bytes: int) -> Iterator[DownloadProgress]:
    """Say what is downloaded in one line, and draw a bar below it while it is, both on stderr.

    Args:
        line: what is downloaded.
        total_bytes: of all files.
    """
    console = _stderr()
    say(line, console)
    with DownloadProgress(console, total_bytes) as progress:
        yield progress


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)
