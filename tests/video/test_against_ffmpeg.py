"""Sampled frames against those that the ffmpeg program decodes from the same file."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.video import open_video

FILE_FPS, SIDE = 5, 96


def ffmpeg_program() -> str:
    """The program's path; without it the test is skipped, but fails where it is promised."""
    program = shutil.which("ffmpeg")
    if program is None and os.environ.get("KEEPSIGHT_REQUIRE_FFMPEG") == "1":
        pytest.fail("the ffmpeg program is promised here (KEEPSIGHT_REQUIRE_FFMPEG=1) but missing")
    if program is None:
        pytest.skip("needs the ffmpeg program")
    return program


@pytest.mark.parametrize("sample_fps", [0.5, 1.0, 2.0, 5.0])
def test_each_sample_is_the_frame_that_ffmpeg_shows_then(sample_fps: float, tmp_path: Path) -> None:
    program = ffmpeg_program()
    path = tmp_path / "toy.mp4"
    make_video(path, ToyVideoSettings(seed=8, minutes=0.5, fps=FILE_FPS, size_pixels=SIDE))
    command = [program, "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    pictures = np.frombuffer(decoded, np.uint8).reshape(-1, SIDE, SIDE, 3)
    with open_video(path) as video:
        frames = list(video.sampled_frames(sample_fps))
    assert len(pictures) == 32 * FILE_FPS
    assert len(frames) == 32 * sample_fps
    for frame in frames:
        shown = pictures[int(frame.pts_seconds * FILE_FPS + 1e-6)]
        assert np.abs(frame.image.astype(int) - shown).mean() < 1.5, f"another picture at {frame.pts_seconds} s"
