"""Which video stream of a file is watched: that which FFmpeg takes, and never a still picture before moving ones."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import NoVideoStreamError
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from keepsight.video import open_video
from keepsight.video.stream_choice import OfferedStream, choose_stream

MOVING: dict[str, Any] = {"codec": "h264", "num_frames": 100}
STILL: dict[str, Any] = {"codec": "mjpeg", "num_frames": 1}

offered = st.builds(
    OfferedStream,
    codec=st.sampled_from(["h264", "mjpeg"]),
    width=st.integers(1, 3),
    height=st.integers(1, 3),
    num_frames=st.sampled_from([None, 1, 50, 100]),
    duration_seconds=st.sampled_from([None, 1.0, 60.0]),
    is_default=st.booleans(),
    is_still=st.booleans(),
)


@pytest.mark.parametrize(
    ("streams", "chosen"),
    [
        ([OfferedStream(width=9, height=9, **MOVING), OfferedStream(width=1, height=1, is_default=True, **MOVING)], 1),
        ([OfferedStream(width=1, height=1, **MOVING), OfferedStream(width=2, height=2, **MOVING)], 1),
        ([OfferedStream("h264", 2, 2, 50), OfferedStream("h264", 2, 2, 100)], 1),
        ([OfferedStream("h264", 2, 2, None, 60.0), OfferedStream("h264", 2, 2, 10, 90.0)], 1),
        ([OfferedStream(width=2, height=2, **MOVING), OfferedStream(width=2, height=2, **MOVING)], 0),
        ([OfferedStream(width=9, height=9, is_default=True, **STILL), OfferedStream(width=1, height=1, **MOVING)], 1),
        ([OfferedStream("png", 9, 9), OfferedStream("h264", 1, 1)], 1),  # Matroska counts no frames
        ([OfferedStream(width=9, height=9, **STILL)], 0),
        ([OfferedStream(width=9, height=9, is_still=True, **STILL)], None),
        ([], None),
    ],
)
def test_the_choice(streams: list[OfferedStream], chosen: int | None) -> None:
    assert choose_stream(streams) == chosen


@given(st.lists(offered, max_size=5))
def test_no_still_stands_before_moving_pictures(streams: list[OfferedStream]) -> None:
    chosen = choose_stream(streams)
    assert (chosen is None) == all(stream.is_still for stream in streams)
    if chosen is not None and any(stream.moves and not stream.is_still for stream in streams):
        assert streams[chosen].moves
        moving = [stream for stream in streams if stream.moves and not stream.is_still]
        assert streams[chosen].is_default == any(stream.is_default for stream in moving)


def make(path: Path, *arguments: str) -> Path:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, str(path)], check=True)
    return path


Write = Callable[[Path], Path]

SMALL = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=4:d=6"]
LARGE = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=4:d=6"]
POSTER = ["-f", "lavfi", "-i", "color=red:s=640x480:r=25:d=0.04"]


def two_with_default(path: Path, default: int) -> Path:
    flags = ["-disposition:v:0", "0", "-disposition:v:1", "0", f"-disposition:v:{default}", "default"]
    return make(path, *LARGE, *SMALL, "-map", "0:v", "-map", "1:v", *flags)


def poster_first(path: Path) -> Path:
    """As `-disposition:v:0 0` leaves it: a still picture that nothing flags as one."""
    coding = ["-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", "-c:v:1", "libx264", "-disposition:v:0", "default"]
    return make(path, *POSTER, *SMALL, "-map", "0:v", "-map", "1:v", *coding)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("default", [0, 1])
def test_the_default_stream_is_watched_as_by_ffmpeg(tmp_path: Path, ending: str, default: int) -> None:
    path = two_with_default(tmp_path / f"two.{ending}", default)
    with av.open(path) as container:
        best = container.streams.best("video")
        assert best is not None
        assert best.index == default
    with open_video(path) as video:
        info = video.info
        assert (info.video_stream, len(info.video_streams)) == (default, 2)
        assert (info.width, info.height) == [(128, 96), (64, 48)][default]
        assert "default" in info.video_streams[default]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_poster_is_never_watched_before_moving_pictures(tmp_path: Path, ending: str) -> None:
    path = poster_first(tmp_path / f"poster.{ending}")
    alone = make(tmp_path / f"alone.{ending}", "-i", str(path), "-map", "0:v:1", "-c", "copy")
    with open_video(path) as video, open_video(alone) as expected:
        assert video.info.video_stream == 1
        pairs = list(zip(video.sampled_frames(1.0), expected.sampled_frames(1.0), strict=True))
    assert len(pairs) == 6
    for got, wanted in pairs:
        assert got.pts_seconds == wanted.pts_seconds
        assert np.array_equal(got.image, wanted.image)


def test_another_stream_can_be_chosen(tmp_path: Path) -> None:
    path = two_with_default(tmp_path / "two.mp4", 0)
    address = SourceAddress.parse(str(path)).with_video_stream(1)
    with IsolatedReader(address) as reader:
        assert (reader.info.video_stream, reader.info.width) == (1, 64)
        assert {frame.image.shape for frame in reader.sampled_frames(0.5)} == {(48, 64, 3)}
    with pytest.raises(NoVideoStreamError, match="from 0 to 1, got 2"):
        IsolatedReader(SourceAddress.parse(str(path)).with_video_stream(2))


def test_one_stream_is_no_choice(tmp_path: Path) -> None:
    with open_video(make(tmp_path / "one.mp4", *SMALL)) as video:
        assert (video.info.video_stream, video.info.video_streams) == (0, ())
