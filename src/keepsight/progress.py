"""How watching goes on: a bar with the time left, and a summary at the end."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from keepsight.spans import format_clock


@dataclass(frozen=True)
class WatchSummary:
    """What one run of watching did.

    Attributes:
        num_clips: clips captioned in this run.
        watched_seconds: their length together.
        wall_seconds: time that the run took, decoding included, loading the model not.
        num_visual_tokens: visual tokens that were seen.
        num_kept_tokens: visual tokens that entered the memory.
        peak_memory_bytes: most host memory of the process, None where the system does not tell.
        peak_device_bytes: most memory on the GPU, None without one.
        spent_seconds: time that clips took, added up.
        is_live: whether a live source was among those watched: then what was waited for it does not count as slowness.
        num_frames_dropped: frames of live sources that were given up because the model was slower.
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

    @property
    def working_seconds(self) -> float:
        """Time that the run took, less what live sources made it wait."""
        return min(self.spent_seconds, self.wall_seconds) if self.is_live else self.wall_seconds

    @property
    def seconds_a_clip(self) -> float | None:
        """Time of one clip on average; None without clips."""
        return self.working_seconds / self.num_clips if self.num_clips else None

    @property
    def times_real_time(self) -> float | None:
        """How much faster than the video itself; None where nothing was watched."""
        return self.watched_seconds / self.working_seconds if self.num_clips and self.working_seconds > 0 else None

    @property
    def kept_percent(self) -> float | None:
        """Per cent of the visual tokens that entered the memory; None where there were none."""
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
    """Most host memory this process has had so far; None where the system does not tell (not Linux).

    From `VmHWM`, because `getrusage` also counts what the parent process had when it started this one.
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
    """Where watching stands: `03:12 of 09:04`."""

    def render(self, task: Task) -> Text:
        whole = "" if task.total is None else f" of {format_clock(task.total)}"
        return Text(f"{format_clock(task.completed)}{whole}", style="progress.download")


class WatchProgress:
    """A bar over the length of a video, below what is printed on the same console.

    Args:
        console: where to draw; on one that is no terminal nothing is drawn.
        total_seconds: length of the video, or None if it is unknown.
        start_seconds: where watching begins.
    """

    def __init__(self, console: Console, total_seconds: float | None, start_seconds: float = 0.0) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _ClockColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            speed_estimate_period=120,
            refresh_per_second=4,
        )
        self._task = self._progress.add_task("watching", total=total_seconds)
        self.reach(start_seconds)

    def reach(self, seconds: float) -> None:
        """Move the bar to a time of the video."""
        task = next(task for task in self._progress.tasks if task.id == self._task)
        total = None if task.total is None else max(task.total, seconds)
        self._progress.update(self._task, completed=seconds, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()
