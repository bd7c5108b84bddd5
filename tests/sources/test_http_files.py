"""Files on a web server behave as files on a disk do, whatever the server lacks or breaks."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from keepsight.errors import (
    AddressRefusedError,
    NotAVideoError,
    NoVideoStreamError,
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
    TruncatedVideoError,
    VideoError,
)
from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.remote_file import WINDOW_BYTES, RemoteFile
from keepsight.sources.network.urls import parse_url
from keepsight.sources.readers.http import open_http
from keepsight.video import Frame, open_video
from keepsight.video.source import Media
from tests.sources.fault_server import (
    HASTY,
    PATIENT,
    Answer,
    FaultServer,
    grey_video,
    raw,
    running,
    served,
    status,
    streamed,
    then,
)

LOCAL = Guard(allow_private=True)
LEVELS = range(10, 210, 5)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {
        "mp4": grey_video("mp4", LEVELS, size=(320, 240)),
        "front.mp4": grey_video("mp4", LEVELS, size=(320, 240), options={"movflags": "faststart"}),
        "ts": grey_video("mpegts", LEVELS, size=(320, 240)),
        "mkv": grey_video("matroska", LEVELS, size=(320, 240)),
    }


def opened(url: str, timeouts: Timeouts = PATIENT) -> Media:
    return open_http(url, LOCAL, fetcher=Fetcher(LOCAL, timeouts))


def frames_until_error(media: Media, **options: float) -> tuple[list[Frame], VideoError | None]:
    frames: list[Frame] = []
    try:
        frames.extend(media.sampled_frames(5, **options))
    except VideoError as error:
        return frames, error
    return frames, None


def assert_same(remote: list[Frame], local: list[Frame]) -> None:
    assert [frame.pts_seconds for frame in remote] == [frame.pts_seconds for frame in local]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(remote, local, strict=True))


@pytest.mark.parametrize("kind", ["mp4", "front.mp4", "ts", "mkv"])
def test_a_file_is_what_it_is_on_disk(server: FaultServer, files: dict[str, bytes], kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    path.write_bytes(files[kind])
    server.put(f"/{kind}", served(files[kind]))
    with open_video(path) as local, opened(server.url(f"/{kind}")) as remote:
        assert remote.info == local.info
        assert_same(list(remote.sampled_frames(5)), list(local.sampled_frames(5)))
        assert_same(list(remote.sampled_frames(3, start_seconds=2)), list(local.sampled_frames(3, start_seconds=2)))


@pytest.mark.parametrize("kind", ["front.mp4", "ts", "mkv"])
@pytest.mark.parametrize("chunked", [False, True])
def test_without_ranges(server: FaultServer, files: dict[str, bytes], kind: str, chunked: bool) -> None:
    server.put("/a", streamed([files[kind]], chunked=True) if chunked else served(files[kind], ranges=False))
    with opened(server.url("/a")) as media:
        assert media.info.is_live == (kind == "ts" and chunked)
        frames, error = frames_until_error(media)
        assert (len(frames), error) == (20, None)
        if not media.info.is_live:
            assert_same(frames_until_error(media)[0], frames)


def test_an_index_at_the_end_needs_ranges(server: FaultServer, files: dict[str, bytes]) -> None:
    padding = (1 << 20).to_bytes(4, "big") + b"free" + bytes((1 << 20) - 8)
    index = files["mp4"].index(b"moov") - 4
    data = files["mp4"][:index] + padding + files["mp4"][index:]
    num_seen = len(server.seen)
    with opened(server.put("/a", served(data))) as media:
        assert len(list(media.sampled_frames(5))) == 20
    assert len(server.seen) - num_seen < 10
    with pytest.raises(NotAVideoError, match="the server does not support range requests"):
        opened(server.put("/a", streamed([data[: index + 1000]])))


def test_connections_that_break_are_made_again(server: FaultServer, files: dict[str, bytes]) -> None:
    for kind in ("mp4", "ts"):
        for ranges in (True, False) if kind == "ts" else (True,):
            answer = served(files[kind], ranges=ranges, kill_after=2500, kills=3)
            with opened(server.put("/a", answer)) as media:
                frames, error = frames_until_error(media)
            assert (len(frames), error) == (20, None)


def test_answers_in_small_parts(server: FaultServer, files: dict[str, bytes]) -> None:
    with opened(server.put("/a", served(files["ts"], part_bytes=1000))) as media:
        assert len(list(media.sampled_frames(5))) == 20


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda data: then(served(data), served(data, ranges=False, length=len(data) + 999)), TruncatedVideoError),
        (
            lambda data: then(served(data), served(data, kill_after=len(data) // 2, kills=1), status(503)),
            SourceUnreachableError,
        ),
        (
            lambda data: then(served(data), served(data, stall_after=len(data) // 2), status(503)),
            SourceUnreachableError,
        ),
        (
            lambda data: then(served(data), served(data, stall_after=len(data) // 2), served(data, stall_after=0)),
            SourceStalledError,
        ),
    ],
)
def test_the_pictures_before_a_lasting_fault_are_delivered(
    server: FaultServer, files: dict[str, bytes], answer: Callable[[bytes], Answer], error: type[VideoError]
) -> None:
    with opened(server.put("/a", answer(files["ts"])), HASTY) as media:
        frames, raised = frames_until_error(media)
    assert type(raised) is error
    assert 5 < len(frames) <= 20
    assert [frame.pts_seconds for frame in frames] == [k / 5 for k in range(len(frames))]


def test_a_file_that_changes_while_it_is_read(server: FaultServer, files: dict[str, bytes]) -> None:
    tags = ["one"]
    server.put("/a", served(files["ts"], kill_after=9000, etag=lambda: f'"{tags[-1]}"'))
    with RemoteFile(Fetcher(LOCAL, PATIENT), parse_url(server.url("/a"))) as file:
        tags.append("two")
        assert b"".join(iter(lambda: file.read(1000), b"")) == files["ts"][:9000]
        assert isinstance(file.failure, TruncatedVideoError)
        assert "changed on the server" in str(file.failure)


@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (status(404), SourceNotFoundError, "404"),
        (status(401), SourceUnreachableError, "401"),
        (status(503), SourceUnreachableError, "503"),
        (served(b""), TruncatedVideoError, "is empty"),
        (served(b"", ranges=False), NotAVideoError, "as a video"),
        (served(b"<html>" + b"x" * 5000), NotAVideoError, "is a web page, not a video"),
        (served(bytes(range(256)) * 100), NotAVideoError, "as a video"),
        (served(b"ffconcat version 1.0\nfile /etc/passwd\n"), NotAVideoError, "as a video"),
        (
            served(b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'/>"),
            NotAVideoError,
            "as a video|uses",
        ),
        (served(b"v=0\r\nm=video 5000 RTP/AVP 96\r\n"), NotAVideoError, "as a video"),
        (served(b"[playlist]\nfile1=/etc/passwd\n"), NotAVideoError, "as a video"),
        (served(b"x" * 5000, stall_after=3), SourceStalledError, "timed out: nothing received"),
        (raw(b"garbage" * 100), SourceUnreachableError, "not an HTTP server"),
    ],
)
def test_what_cannot_be_opened(server: FaultServer, answer: Answer, error: type[VideoError], match: str) -> None:
    with pytest.raises(error, match=match):
        opened(server.put("/a", answer), HASTY if error is SourceStalledError else PATIENT)


def test_sound_alone(server: FaultServer, tmp_path: Path) -> None:
    wave = b"RIFF" + (36 + 8000).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    wave += bytes([1, 0, 1, 0]) + (8000).to_bytes(4, "little") * 2 + bytes([1, 0, 8, 0]) + b"data"
    with pytest.raises(NoVideoStreamError):
        opened(server.put("/a", served(wave + (8000).to_bytes(4, "little") + bytes([128]) * 8000)))


def test_refused_by_default(server: FaultServer, files: dict[str, bytes]) -> None:
    url = server.put("/a", served(files["mp4"]))
    with pytest.raises(AddressRefusedError, match="--allow-private"):
        open_http(url, Guard())
    with pytest.raises(AddressRefusedError, match="scheme must be http or https here"):
        open_http("rtsp://127.0.0.1/x", LOCAL)


def test_a_closed_source_gives_nothing(server: FaultServer, files: dict[str, bytes]) -> None:
    media = opened(server.put("/a", served(files["mp4"])))
    frames = media.sampled_frames(5)
    next(frames)
    media.close()
    media.close()
    assert list(frames) == []
    with pytest.raises(VideoError, match="is closed"):
        media.sampled_frames(5)


def test_nothing_stays_open(server: FaultServer, files: dict[str, bytes]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(3):
        with opened(server.put("/a", served(files["mp4"]))) as media:
            next(media.sampled_frames(5))
        with pytest.raises(NotAVideoError):
            opened(server.put("/b", served(b"x" * 5000)))
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    assert after - before <= threading.active_count()  # the server's own, which end by themselves


def test_reading_anywhere_matches_the_bytes(server: FaultServer) -> None:
    rng = np.random.default_rng(7)
    data = rng.bytes(5 * WINDOW_BYTES)
    url = parse_url(server.put("/a", served(data, kill_after=3 * WINDOW_BYTES, kills=2)))
    with RemoteFile(Fetcher(LOCAL, PATIENT), url) as file:
        assert (file.size, file.seekable()) == (len(data), True)
        num_seen = len(server.seen)
        for place in [0, 10, len(data) - 5, 100, 0, *rng.integers(0, len(data), 30).tolist()]:
            file.seek(place)
            piece = file.read(int(rng.integers(1, 100_000)))
            assert piece == data[place : place + len(piece)]
            assert piece
            assert file.tell() == place + len(piece)
        assert len(server.seen) - num_seen < 40
        assert file.seek(-3, 2) == len(data) - 3
        assert file.read() == data[-3:]
        assert file.read() == b""
        assert file.failure is None
