"""Progress of a download: one line of what comes, then a bar with sizes and time left on a terminal."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn
from rich.table import Column

from keepsight.progress import PassingBar
from keepsight.spans import format_clock


class DownloadProgress:
    """Bytes of several files that are downloaded one after the other.

    Args:
        console: console to draw on; nothing is drawn unless it is a terminal.
        total_bytes: of all files.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(self, console: Console, total_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bar = PassingBar(
            console,
            SpinnerColumn(),
            BarColumn(bar_width=None),
            DownloadColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[pace]}"),
        )
        self._task = self._bar.add_task("", total=total_bytes, pace="")
        self._total_bytes = total_bytes
        self._clock, self._began_seconds = clock, clock()
        self._lock = threading.Lock()
        self._bytes_of: dict[str, float] = {}
        self._kept_of: dict[str, float] = {}

    def of_file(self, file: str) -> Any:
        """What the hub's library shall call instead of `tqdm.tqdm` to report on a file."""
        return partial(FileBar, self, file)

    def reach(self, file: str, num_bytes: float) -> None:
        """A file has this many bytes. Of several reports of one file the highest counts: storage that sends only what
        is new reports the bytes received beside the bytes written.
        """
        with self._lock:
            self._bytes_of[file] = max(num_bytes, self._bytes_of.get(file, 0))
            self._bar.update(self._task, completed=self.num_bytes, pace=self._pace())

    def keep(self, file: str, num_bytes: float) -> None:
        """A file has this many bytes from an earlier download."""
        self._kept_of[file] = num_bytes
        self.reach(file, num_bytes)

    @property
    def num_bytes(self) -> float:
        """Bytes so far, of all files."""
        return sum(self._bytes_of.values())

    def _pace(self) -> str:
        """Speed and time left, of all that was received: some reports are of 10 MB, and seconds apart."""
        received, seconds = self.num_bytes - sum(self._kept_of.values()), self._clock() - self._began_seconds
        if received <= 0 or seconds <= 0:
            return ""
        left_seconds = max(0.0, self._total_bytes - self.num_bytes) / received * seconds
        return f"{decimal(int(received / seconds))}/s, {format_clock(left_seconds)} left"

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()


class SilentBar:
    """Behaves as a `tqdm.tqdm` as far as the hub's library uses one, and draws nothing."""

    def __init__(self, total: float | None = None, initial: float = 0, **_: Any) -> None:
        self.total, self.n = total, initial

    def update(self, num_bytes: float | None = 1) -> None:
        """So many bytes more, or fewer if a download starts over."""
        self.n += num_bytes or 0

    def refresh(self, *_: Any, **__: Any) -> None:
        """Nothing to draw."""

    set_description = set_description_str = set_postfix_str = close = refresh

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FileBar(SilentBar):
    """Reports to a `DownloadProgress`, which draws the whole bar."""

    def __init__(
        self, progress: DownloadProgress, file: str, total: float | None = None, initial: float = 0, **_: Any
    ) -> None:
        super().__init__(total, initial)
        self._progress, self._file = progress, file
        progress.keep(file, initial)

    def update(self, num_bytes: float | None = 1) -> None:
        """So many bytes more, or fewer if a download starts over."""
        super().update(num_bytes)
        self._progress.reach(self._file, self.n)


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
