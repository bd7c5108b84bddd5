"""The line and the bar of a download."""

import re
from io import StringIO

import pytest
from rich.console import Console

from keepsight.models.huggingface.progress import DownloadProgress, say, shown_download


def test_bytes_of_files_add_up_and_the_highest_report_of_a_file_counts() -> None:
    progress = DownloadProgress(Console(file=StringIO()), 300)
    written, received = (progress.of_file("a")(total=100, desc=what) for what in ("written", "received"))
    received.update(80)
    written.update(30)
    assert progress.num_bytes == 80
    written.update(70)
    with progress.of_file("b")(total=200, initial=50, unit="B") as other:
        other.update(25)
        assert progress.num_bytes == 175


def test_a_terminal_shows_sizes_and_the_time_left() -> None:
    screen = StringIO()
    with DownloadProgress(Console(file=screen, force_terminal=True, width=100), 2_000_000_000) as progress:
        progress.of_file("a")(total=2_000_000_000).update(500_000_000)
    assert "0.5/2.0 GB" in screen.getvalue()
    assert "left" in screen.getvalue()


@pytest.mark.parametrize("width", [50, 80])
def test_a_narrow_terminal_has_all_of_it_in_one_line_with_room_for_ctrl_c(width: int) -> None:
    screen = StringIO()
    seconds = iter([0.0, 1.0, 160.0])
    with DownloadProgress(
        Console(file=screen, force_terminal=True, width=width, color_system=None, soft_wrap=True),
        16_100_000_000,
        lambda: next(seconds),
    ) as progress:
        progress.of_file("a")(total=16_100_000_000).update(1_610_000_000)
    drawn = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", screen.getvalue())]
    assert max(map(len, drawn)) <= width - len("^C")
    assert any("1.6/16.1 GB 10.1 MB/s, 24:00 left" in line for line in drawn)


def test_the_pace_is_that_of_what_was_received_now() -> None:
    """Half of the file was there before: 10 of 60 s later another 10 MB are, so that 40 MB take 40 s."""
    screen = StringIO()
    seconds = iter([0.0, 1.0, 10.0])
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with DownloadProgress(console, 100_000_000, lambda: next(seconds)) as progress:
        bar = progress.of_file("a")(total=100_000_000, initial=50_000_000)
        assert "left" not in screen.getvalue()
        bar.update(10_000_000)
    assert "60.0/100.0 MB 1.0 MB/s, 00:40 left" in screen.getvalue()


def test_elsewhere_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_download("downloading owner/name, 2.0 GB, to /cache", 2_000_000_000) as progress:
        progress.of_file("a")(total=2_000_000_000).update(2_000_000_000)
    say("[done]")
    assert capsys.readouterr() == (
        "",
        "keepsight: downloading owner/name, 2.0 GB, to /cache\nkeepsight: [done]\n",
    )
