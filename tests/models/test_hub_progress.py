"""The line and the bar of a download."""

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


def test_elsewhere_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_download("downloading owner/name, 2.0 GB, to /cache", 2_000_000_000) as progress:
        progress.of_file("a")(total=2_000_000_000).update(2_000_000_000)
    say("[done]")
    assert capsys.readouterr() == (
        "",
        "keepsight: downloading owner/name, 2.0 GB, to /cache\nkeepsight: [done]\n",
    )
