"""The summary's arithmetic, the bar, and the peak of memory."""

import io
import re
import subprocess
import sys

import pytest
from rich.console import Console

from keepsight.progress import WatchProgress, WatchSummary, peak_memory_bytes


def test_summary_follows_from_its_numbers() -> None:
    summary = WatchSummary(
        num_clips=4,
        watched_seconds=128.0,
        wall_seconds=3.2,
        num_visual_tokens=1024,
        num_kept_tokens=64,
        peak_memory_bytes=520_000_000,
    )
    assert summary.seconds_a_clip == pytest.approx(0.8)
    assert summary.times_real_time == pytest.approx(40)
    assert summary.kept_percent == pytest.approx(6.25)
    assert str(summary) == (
        "4 clips of 02:08 in 00:03, 0.80 s a clip, 40.0 x real time, kept 6.2 %, peak memory 0.52 GB"
    )


def test_summary_says_how_many_clips_were_still() -> None:
    summary = WatchSummary(num_clips=4, watched_seconds=128.0, wall_seconds=3.2, num_still_clips=3)
    assert str(summary) == "4 clips of 02:08 in 00:03, 3 of them still, 0.80 s a clip, 40.0 x real time"


def test_summary_of_nothing_divides_by_nothing() -> None:
    summary = WatchSummary(wall_seconds=1.0)
    assert (summary.seconds_a_clip, summary.times_real_time, summary.kept_percent) == (None, None, None)
    assert str(summary) == "nothing new to watch"


def test_bar_shows_where_watching_stands() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with WatchProgress(console, total_seconds=100) as progress:
        progress.reach(64)
        console.print("a caption")
    assert "01:04 of 01:40" in out.getvalue()
    assert "a caption" in out.getvalue()


def test_a_full_line_leaves_room_for_ctrl_c() -> None:
    """A terminal shows ^C at the cursor: in a full line it would wrap, and the bar stay on the screen."""
    out = io.StringIO()
    with WatchProgress(
        Console(file=out, force_terminal=True, width=60, color_system=None), total_seconds=100
    ) as progress:
        progress.reach(64)
    drawn = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", out.getvalue())]
    assert 50 < max(map(len, drawn)) <= 58


def test_bar_of_a_video_longer_than_it_says_grows() -> None:
    out = io.StringIO()
    with WatchProgress(Console(file=out, force_terminal=True, width=100), total_seconds=10) as progress:
        progress.reach(70)
    assert "01:10 of 01:10" in out.getvalue()


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with WatchProgress(Console(file=out), total_seconds=None) as progress:
        progress.reach(5)
    assert out.getvalue().strip() == ""


def test_peak_memory_rises_with_what_is_allocated() -> None:
    code = (
        "from keepsight.progress import peak_memory_bytes as peak\nbefore = peak()\n"
        "block = bytearray(50_000_000); block[::4096] = b'x' * len(block[::4096]); del block\n"
        "print(-1 if before is None else peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if peak_memory_bytes() is None:
        assert int(done.stdout) == -1
    else:
        assert 45_000_000 < int(done.stdout) < 70_000_000
