"""Sampled frames against those that the ffmpeg program decodes from the same file."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.toyworld.render import render_frame
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
    exact = ["-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"]
    command = [program, "-v", "error", "-i", str(path), *exact, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    pictures = np.frombuffer(decoded, np.uint8).reshape(-1, SIDE, SIDE, 3)
    with open_video(path) as video:
        frames = list(video.sampled_frames(sample_fps))
    assert len(pictures) == 32 * FILE_FPS
    assert len(frames) == 32 * sample_fps
    for frame in frames:
        shown = pictures[int(frame.pts_seconds * FILE_FPS + 1e-6)]
        assert np.abs(frame.image.astype(int) - shown).mean() < 1.5, f"another picture at {frame.pts_seconds} s"


def test_large_toy_videos_have_the_colours_that_were_drawn(tmp_path: Path) -> None:
    """From 577 pixels on players take a video for BT.709 unless it says what it is."""
    settings = ToyVideoSettings(seed=8, minutes=0.05, fps=1, size_pixels=640)
    truth = make_video(tmp_path / "toy.mp4", settings)
    with open_video(tmp_path / "toy.mp4") as video:
        shown = next(video.sampled_frames(1.0)).image.astype(int)
    assert abs(shown - render_frame(truth.story, 0, 640)).mean() < 2
