"""Streams without a length: read once, as they come, and told apart from files."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from keepsight.errors import NotAVideoError, SettingError, SourceStalledError, SourceUnreachableError, VideoError
from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.readers.http import open_http
from keepsight.video.source import Media
from tests.patience import DEADLINE_SECONDS
from tests.sources.fault_server import (
    HASTY,
    PATIENT,
    Answer,
    FaultServer,
    grey_video,
    playlist,
    running,
    served,
    streamed,
)

LOCAL = Guard(allow_private=True)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def transport_stream() -> bytes:
    return grey_video("mpegts", range(10, 210, 5))


def pieces_of(data: bytes, num_bytes: int = 1880) -> list[bytes]:
    return [data[start : start + num_bytes] for start in range(0, len(data), num_bytes)]


def opened(url: str, timeouts: Timeouts = PATIENT) -> Media:
    return open_http(url, LOCAL, fetcher=Fetcher(LOCAL, timeouts))


def jpeg(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def parts(levels: list[int]) -> Iterator[bytes]:
    for level in levels:
        data = jpeg(level)
        yield b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data), data)


def test_a_marked_end_is_the_streams_own(server: FaultServer, transport_stream: bytes) -> None:
    with opened(server.put("/a", streamed(pieces_of(transport_stream), chunked=True))) as media:
        assert media.info.is_live
        assert (media.info.width, media.info.height, media.info.duration_seconds) == (64, 48, None)
        frames = list(media.sampled_frames(5))
    assert [frame.pts_seconds for frame in frames] == [k / 5 for k in range(20)]
    assert np.allclose([frame.image[30:].mean() for frame in frames], range(10, 210, 10), atol=5)


def test_a_connection_that_just_closes_was_lost(server: FaultServer, transport_stream: bytes) -> None:
    with opened(server.put("/a", streamed(pieces_of(transport_stream)))) as media:
        frames = media.sampled_frames(5)
        assert len([next(frames) for _ in range(20)]) == 20
        with pytest.raises(SourceUnreachableError, match="closed the connection"):
            next(frames)


def stream_that_stalls(data: bytes) -> Answer:
    def answer(handler: object) -> None:
        streamed(pieces_of(data))(handler)  # type: ignore[arg-type]
        handler.server.is_over.wait(DEADLINE_SECONDS)  # type: ignore[attr-defined]

    return answer


def test_a_stream_that_falls_silent(server: FaultServer, transport_stream: bytes) -> None:
    with opened(server.put("/a", stream_that_stalls(transport_stream)), HASTY) as media:
        frames = media.sampled_frames(5)
        for _ in range(18):
            next(frames)
        with pytest.raises(SourceStalledError, match="timed out: nothing received"):
            list(frames)


def test_a_live_source_is_read_once_from_now_on(server: FaultServer, transport_stream: bytes) -> None:
    with opened(server.put("/a", streamed(pieces_of(transport_stream), chunked=True))) as media:
        with pytest.raises(SettingError, match=r"start_seconds must be 0, got 3\.0"):
            media.sampled_frames(1, start_seconds=3.0)
        with pytest.raises(SettingError):
            media.sampled_frames(0)
        next(media.sampled_frames(1))
        with pytest.raises(VideoError, match="can be read only once"):
            media.sampled_frames(1)
        media.close()
        media.close()


def test_frames_come_while_the_stream_goes_on(server: FaultServer, transport_stream: bytes) -> None:
    """The server waits at the end of what it has; what came before must not wait for it."""
    with opened(server.put("/a", stream_that_stalls(transport_stream))) as media:
        frames = media.sampled_frames(5)
        assert next(frames).pts_seconds == 0
        frames.close()  # type: ignore[attr-defined]


def test_pictures_one_after_another_are_timed_by_their_arrival(server: FaultServer) -> None:
    levels = [20, 60, 100, 140, 180, 220]
    answer = streamed(
        parts(levels), content_type="multipart/x-mixed-replace; boundary=frame", pause_seconds=0.2, chunked=True
    )
    with open_http(server.put("/a", answer), LOCAL, fetcher=Fetcher(LOCAL, Timeouts(read_seconds=2))) as media:
        assert media.info.is_live
        frames = list(media.sampled_frames(1000))  # on a busy machine two pictures arrive at almost the same time
    assert 0.6 <= frames[-1].pts_seconds <= 3
    assert set(levels[:-1]) <= {round(float(frame.image.mean())) for frame in frames}


def test_what_refers_elsewhere_is_refused_in_a_stream_too(server: FaultServer) -> None:
    answer = streamed([b"ffconcat version 1.0\nfile http://127.0.0.1/x\n"], content_type="video/mp4")
    with pytest.raises(NotAVideoError):
        opened(server.put("/a", answer))


def test_a_playlist_is_known_by_its_first_bytes(server: FaultServer, transport_stream: bytes) -> None:
    server.put("/s.ts", served(transport_stream))
    with opened(server.put("/live", served(playlist("s.ts", seconds=4), content_type="text/plain"))) as media:
        assert not media.info.is_live
        assert media.info.duration_seconds == 4
        assert len(list(media.sampled_frames(5))) == 20
