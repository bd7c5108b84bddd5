"""Files that another program cuts, deletes, replaces or goes on writing while they are read."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from keepsight.errors import TruncatedVideoError
from keepsight.video import open_video
from tests.hostile.small_media import H264, H264_FIRST, MJPEG_AVI, encoded

NUM_PICTURES = 100
_LARGE = {"size": (640, 480), "options": {"g": "10", "bf": "2", "qp": "10", "preset": "ultrafast", "threads": "1"}}
CODINGS = {
    "mp4": replace(H264_FIRST, **_LARGE),  # type: ignore[arg-type]
    "mkv": replace(H264, format="matroska", **_LARGE),  # type: ignore[arg-type]
    "ts": replace(H264, format="mpegts", **_LARGE),  # type: ignore[arg-type]
    "avi": replace(MJPEG_AVI, size=(640, 480)),
}


@cache
def content(ending: str) -> bytes:
    """More than FFmpeg reads ahead."""
    return encoded(CODINGS[ending], range(NUM_PICTURES))


def read(path: Path, meanwhile: Callable[[Path], object]) -> int:
    """Frames of a file to which something is done after its fifth."""
    path.write_bytes(content(path.suffix[1:]))
    count = 0
    with open_video(path) as video:
        for count, _ in enumerate(video.sampled_frames(25.0), start=1):
            if count == 5:
                meanwhile(path)
    return count


@pytest.mark.parametrize("ending", CODINGS)
@pytest.mark.parametrize("part", [0, 0.6])
def test_a_file_that_becomes_shorter_is_called_cut_off(tmp_path: Path, ending: str, part: float) -> None:
    with pytest.raises(TruncatedVideoError, match="truncated"):
        read(tmp_path / f"a.{ending}", lambda path: os.truncate(path, int(part * len(content(ending)))))


@pytest.mark.parametrize("ending", CODINGS)
def test_a_file_that_is_deleted_is_read_to_its_end(tmp_path: Path, ending: str) -> None:
    assert read(tmp_path / f"a.{ending}", Path.unlink) == NUM_PICTURES


@pytest.mark.parametrize("ending", CODINGS)
def test_a_file_that_is_replaced_is_read_to_its_end(tmp_path: Path, ending: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(content("avi")[:1000])
    assert read(tmp_path / f"a.{ending}", other.replace) == NUM_PICTURES


def test_a_file_that_is_still_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    def write_on(path: Path) -> None:
        with path.open("ab") as file:
            file.write(content("ts"))

    assert read(tmp_path / "a.ts", write_on) >= NUM_PICTURES
