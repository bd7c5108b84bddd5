"""Nothing that holds a picture waits for Python's cyclic collector: with the collector off, it is freed at once."""

import gc
import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from keepsight.errors import VideoError
from keepsight.sources.messages import write_frame
from keepsight.sources.network.guard import Guard
from keepsight.sources.readers.folder import open_folder
from keepsight.sources.readers.hls import open_hls
from keepsight.sources.readers.http import open_http
from keepsight.sources.readers.live_media import LiveMedia
from keepsight.sources.readers.pushed import PushedReader
from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.video import Frame, open_video
from tests.sources.fault_server import FaultServer, grey_video, playlist, running, served, streamed

LOCAL = Guard(allow_private=True)
LEVELS = range(0, 240, 4)
EXIF_TURNED_RIGHT = 6


def waiting() -> Counter[str]:
    """Pictures, packets, decoders and files of PyAV and Pillow that are in memory, by the name of their type."""
    kinds = (type(thing) for thing in gc.get_objects())
    return Counter(
        kind.__qualname__
        for kind in kinds
        if str(kind.__module__).startswith(("av.", "PIL.JpegImagePlugin")) and not issubclass(kind, Enum)
    )


@pytest.fixture
def collector_off() -> Iterator[Counter[str]]:
    gc.collect()
    gc.disable()
    yield waiting()
    gc.enable()


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


def jpeg(orientation: int) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (64, 48), (200, 50, 50)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def motion_jpeg_with_exif(path: Path) -> Path:
    """Pictures as some cameras write them: EXIF data with an orientation in each."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(len(LEVELS)):
            packet = av.Packet(jpeg(EXIF_TURNED_RIGHT))
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 10)
            container.mux(packet)
    return path


def of_file(folder: Path, _: FaultServer) -> int:
    path = folder / "video.mp4"
    path.write_bytes(grey_video("mp4", LEVELS))
    with open_video(path) as video:
        return sum(1 for _ in video.sampled_frames(10))


def of_file_at_less(folder: Path, _: FaultServer) -> int:
    path = folder / "video.ts"
    path.write_bytes(grey_video("mpegts", LEVELS))
    with open_video(path) as video:
        return 2 * sum(1 for _ in video.sampled_frames(5))


def of_pictures_with_exif(folder: Path, _: FaultServer) -> int:
    with open_video(motion_jpeg_with_exif(folder / "exif.avi")) as video:
        assert (video.info.width, video.info.height, video.info.rotation_degrees) == (48, 64, 90)
        frames = list(video.sampled_frames(10))
        assert frames[0].image.shape == (64, 48, 3)
        return len(frames)


def num_frames_before_damage(path: Path) -> int:
    num_frames = 0
    with open_video(path) as video, suppress(VideoError):
        for _ in video.sampled_frames(10):
            num_frames += 1
    return num_frames


def of_cut_off_file(folder: Path, _: FaultServer) -> int:
    path = folder / "cut.mp4"
    path.write_bytes(grey_video("mp4", LEVELS, options={"movflags": "faststart"})[:-500])
    return sum(num_frames_before_damage(path) for _ in range(3))


def of_what_cannot_be_opened(folder: Path, _: FaultServer) -> int:
    path = folder / "text.mp4"
    path.write_text("no video" * 1000)
    for _level in LEVELS:
        with pytest.raises(VideoError):
            open_video(path)
    return len(LEVELS)


def of_live_media(_: Path, __: FaultServer) -> int:
    media = LiveMedia(av.open(io.BytesIO(grey_video("mpegts", LEVELS)), "r", format="mpegts"), "here")
    num_frames = sum(1 for _ in media.sampled_frames(10))
    media.close()
    return num_frames


def of_http(_: Path, server: FaultServer) -> int:
    with open_http(server.put("/a.mp4", served(grey_video("mp4", LEVELS))), LOCAL) as media:
        return sum(1 for _ in media.sampled_frames(10))


def of_live_http(_: Path, server: FaultServer) -> int:
    data = grey_video("mpegts", LEVELS)
    with open_http(server.put("/live", streamed([data], chunked=True)), LOCAL) as media:
        return sum(1 for _ in media.sampled_frames(10))


def of_hls(_: Path, server: FaultServer) -> int:
    server.put("/s0.ts", served(grey_video("mpegts", LEVELS)))
    url = server.put("/list.m3u8", served(playlist("#EXTINF:6.0,", "s0.ts"), content_type="application/x-mpegurl"))
    with open_hls(url, LOCAL) as media:
        return sum(1 for _ in media.sampled_frames(10))


def of_folder(folder: Path, _: FaultServer) -> int:
    (folder / "pictures").mkdir()
    for number in range(len(LEVELS)):
        (folder / "pictures" / f"2026-11-23T12-03-{number:02}.jpg").write_bytes(jpeg(EXIF_TURNED_RIGHT))
    return sum(1 for _ in open_folder(folder / "pictures").sampled_frames(1))


def of_pushed(_: Path, __: FaultServer) -> int:
    file = io.BytesIO()
    for number in range(len(LEVELS)):
        write_frame(file, Frame(np.full((48, 64, 3), number, np.uint8), number / 10))
    file.write(b'{"type": "end"}\n')
    file.seek(0)
    return sum(1 for _ in PushedReader(file).sampled_frames(10))


def of_toy_world(folder: Path, _: FaultServer) -> int:
    make_video(folder / "toy.mp4", ToyVideoSettings(minutes=0.2, size_pixels=64, fps=10))
    return len(LEVELS)


@pytest.mark.parametrize(
    "read",
    [
        of_file,
        of_file_at_less,
        of_pictures_with_exif,
        of_cut_off_file,
        of_what_cannot_be_opened,
        of_live_media,
        of_http,
        of_live_http,
        of_hls,
        of_folder,
        of_pushed,
        of_toy_world,
    ],
)
def test_no_picture_waits_for_the_collector(
    read: Callable[[Path, FaultServer], int], tmp_path: Path, server: FaultServer, collector_off: Counter[str]
) -> None:
    assert read(tmp_path, server) >= len(LEVELS)
    assert waiting() - collector_off == Counter()
