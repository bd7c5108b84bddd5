"""Files of over an hour on a server, whole and in segments: frames from any start are the tail of those from 0."""

import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from keepsight.sources.network.guard import Guard
from keepsight.sources.readers.hls import open_hls
from keepsight.sources.readers.http import open_http
from keepsight.video import Frame
from keepsight.video.source import Media
from tests.sources.fault_server import FaultServer, running, served

LOCAL = Guard(allow_private=True)
NUM_PICTURES, STEP_SECONDS, SAMPLE_FPS = 1050, 4, 0.05
SEGMENT_SECONDS = 120


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy minutes whose grey levels tell the place."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast", "g": "30", "bf": "0"})
        stream.width = stream.height = 32
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(NUM_PICTURES):
            image = np.full((32, 32, 3), 20 + 4 * (number % 50), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number * STEP_SECONDS, Fraction(1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seen(media: Media, start_seconds: float) -> list[tuple[float, str, int]]:
    def told(frame: Frame) -> tuple[float, str, int]:
        return frame.pts_seconds, frame.gap_before, int(frame.image.mean())

    return [told(frame) for frame in media.sampled_frames(SAMPLE_FPS, start_seconds=start_seconds)]


def assert_tails(media: Media) -> None:
    whole = seen(media, 0.0)
    assert [seconds for seconds, _, _ in whole] == [20.0 * n for n in range(210)]
    assert not any(gap for _, gap, _ in whole)
    for seconds, _, level in whole:
        assert abs(level - (20 + 4 * (int(seconds / STEP_SECONDS) % 50))) < 5
    for start in (3601.0, 3776.0, 4199.0):
        assert seen(media, start) == [one for one in whole if one[0] >= start], f"from {start} s"
    assert media.extent is not None
    assert media.extent.pictures_end_seconds == pytest.approx(4200, abs=SEGMENT_SECONDS)


def test_a_file_on_a_server(server: FaultServer, long_file: Path) -> None:
    url = server.put("/long.mp4", served(long_file.read_bytes()))
    with open_http(url, LOCAL) as media:
        assert_tails(media)


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_segments(server: FaultServer, long_file: Path, tmp_path: Path, kind: str) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("needs the ffmpeg program")
    names = tmp_path / ("%d.ts" if kind == "mpegts" else "%d.m4s")
    cut = ["-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_list_size", "0", "-hls_segment_type", kind]
    command = [program, "-v", "error", "-i", str(long_file), "-c", "copy", *cut, "-hls_segment_filename", str(names)]
    subprocess.run([*command, str(tmp_path / "list.m3u8")], check=True, stdin=subprocess.DEVNULL)
    for path in tmp_path.iterdir():
        kind_of = "application/vnd.apple.mpegurl" if path.suffix == ".m3u8" else "video/mp4"
        url = server.put(f"/{kind}/{path.name}", served(path.read_bytes(), content_type=kind_of))
    url = f"{url.rpartition('/')[0]}/list.m3u8"
    with open_hls(url, LOCAL) as media:
        assert_tails(media)
