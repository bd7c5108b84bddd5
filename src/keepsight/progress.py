"""Progress bar and summary of watching."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from keepsight.spans import format_clock


@dataclass(frozen=True)
class WatchSummary:
    """Statistics of one run of watching.

    Attributes:
        num_clips: clips stored in this run, captioned or still.
        watched_seconds: their total length.
        wall_seconds: duration of the run, including decoding but not loading the model.
        num_visual_tokens: visual tokens encoded.
        num_kept_tokens: visual tokens that entered the memory.
        peak_memory_bytes: peak host memory of the process; None if unknown.
        peak_device_bytes: peak GPU memory; None without a GPU.
        spent_seconds: total time spent on clips.
        is_live: whether a live source was watched; time spent waiting for it is then excluded from speed.
        num_frames_dropped: frames of live sources dropped because the model was too slow.
        num_still_clips: clips in which nothing changed, stored without a caption.
    """

    num_clips: int = 0
    watched_seconds: float = 0.0
    wall_seconds: float = 0.0
    num_visual_tokens: int = 0
    num_kept_tokens: int = 0
    peak_memory_bytes: int | None = None
    peak_device_bytes: int | None = None
    spent_seconds: float = 0.0
    is_live: bool = False
    num_frames_dropped: int = 0
    num_still_clips: int = 0

    @property
    def working_seconds(self) -> float:
        """Duration of the run, excluding waits for live sources."""
        return min(self.spent_seconds, self.wall_seconds) if self.is_live else self.wall_seconds

    @property
    def seconds_a_clip(self) -> float | None:
        """Mean time per clip; None without clips."""
        return self.working_seconds / self.num_clips if self.num_clips else None

    @property
    def times_real_time(self) -> float | None:
        """Speed relative to the video's duration; None if nothing was watched."""
        return self.watched_seconds / self.working_seconds if self.num_clips and self.working_seconds > 0 else None

    @property
    def kept_percent(self) -> float | None:
        """Percentage of visual tokens kept; None without tokens."""
        return self.num_kept_tokens / self.num_visual_tokens * 100 if self.num_visual_tokens else None

    def __str__(self) -> str:
        if self.seconds_a_clip is None or self.times_real_time is None:
            return "nothing new to watch"
        clips = "1 clip" if self.num_clips == 1 else f"{self.num_clips} clips"
        parts = [
            f"{clips} of {format_clock(self.watched_seconds)} in {format_clock(self.wall_seconds)}",
            f"{self.seconds_a_clip:.2f} s a clip",
            f"{self.times_real_time:.1f} x real time",
        ]
        if self.num_still_clips:
            parts.insert(1, f"{self.num_still_clips} of them still")
        if self.num_frames_dropped:
            parts.append(f"{self.num_frames_dropped} frames dropped")
        if self.kept_percent is not None:
            parts.append(f"kept {self.kept_percent:.1f} %")
        if self.peak_memory_bytes is not None:
            parts.append(f"peak memory {self.peak_memory_bytes / 1e9:.2f} GB")
        if self.peak_device_bytes is not None:
            parts.append(f"on the GPU {self.peak_device_bytes / 1e9:.2f} GB")
        return ", ".join(parts)


def peak_memory_bytes() -> int | None:
    """Peak host memory of this process so far; None if unknown (not Linux).

    Read from `VmHWM`, since `getrusage` includes the parent process before `exec`.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    return None


class _ClockColumn(ProgressColumn):
    """Current position: `03:12 of 09:04`."""

    def render(self, task: Task) -> Text:
        whole = "" if task.total is None else f" of {format_clock(task.total)}"
        return Text(f"{format_clock(task.completed)}{whole}", style="progress.download")


class PassingBar(Progress):
    """A bar below other output of the same console, which is gone at the end.

    Args:
        console: console to draw on; nothing is drawn unless it is a terminal.
        columns: the columns of rich.
        speed_estimate_period: seconds over which the speed is averaged.
    """

    def __init__(self, console: Console, *columns: ProgressColumn, speed_estimate_period: float = 30) -> None:
        self._terminal = console  # rich asks for the renderables before it has set `console`
        super().__init__(
            *columns,
            console=console,
            transient=True,
            disable=not console.is_terminal,
            speed_estimate_period=speed_estimate_period,
            refresh_per_second=4,
        )

    def get_renderables(self) -> Iterator[RenderableType]:
        """What is drawn. It leaves the last columns free, where a terminal shows ^C: in a full line that would move the
        cursor to the next one, and the bar would stay on the screen.
        """
        yield Constrain(self.make_tasks_table(self.tasks), self._terminal.width - len("^C"))


class WatchProgress:
    """Progress bar over a video's length, below other output of the same console.

    Args:
        console: console to draw on; nothing is drawn unless it is a terminal.
        total_seconds: length of the video; None if unknown.
        start_seconds: start of watching.
    """

    def __init__(self, console: Console, total_seconds: float | None, start_seconds: float = 0.0) -> None:
        self._progress = PassingBar(
            console,
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _ClockColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            speed_estimate_period=120,
        )
        self._task = self._progress.add_task("watching", total=total_seconds)
        self.reach(start_seconds)

    def reach(self, seconds: float, total_seconds: float | None = None) -> None:
        """Move the bar to a position; sets the total length if it is known only now."""
        task = next(task for task in self._progress.tasks if task.id == self._task)
        known = task.total if total_seconds is None else total_seconds
        total = None if known is None else max(known, seconds)
        self._progress.update(self._task, completed=seconds, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()


@contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Callable[[float, float | None], None]]:
    """A bar below the cell of a notebook, or on a terminal; nothing elsewhere.

    Gives a function that moves it: seconds reached, and seconds in all, or None where that is not known.

    Args:
        console: a terminal; stderr if None.
    """
    display = _notebook_display()
    if display is not None:
        yield display
        return
    with WatchProgress(console or Console(stderr=True), None) as progress:
        yield progress.reach


def _notebook_display() -> Callable[[float, float | None], None] | None:
    """What draws below the cell that runs; None outside of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        return None
    drawing = import_module("IPython.display")
    handle = drawing.display(drawing.HTML("watching"), display_id=True)

    def reach(seconds: float, total_seconds: float | None = None) -> None:
        whole = "" if total_seconds is None else f" of {format_clock(total_seconds)}"
        bar = f'<progress value="{seconds:.3f}" max="{total_seconds:.3f}"></progress> ' if total_seconds else ""
        handle.update(drawing.HTML(f"{bar}{format_clock(seconds)}{whole}"))

    return reach
