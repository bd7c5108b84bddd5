"""HLS without an end: begun near its end, followed as it grows, whatever its server loses meanwhile."""

from collections.abc import Callable, Iterator
from time import monotonic

import numpy as np
import pytest

from keepsight.errors import NotAVideoError, SourceNotFoundError, SourceStalledError, SourceUnreachableError, VideoError
from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.readers.hls import open_hls
from keepsight.video import Frame
from keepsight.video.source import Media
from tests.sources.fault_server import (
    HASTY,
    PATIENT,
    Answer,
    FaultServer,
    Handler,
    grey_video,
    playlist,
    running,
    served,
    status,
    then,
)

LOCAL = Guard(allow_private=True)
TARGET_SECONDS = 0.1
NUM_SEGMENTS = 8


@pytest.fixture(scope="module")
def segments() -> list[bytes]:
    """One second each, at ten pictures a second; segment k is of grey levels 20 k + 10 and on."""
    return [grey_video("mpegts", range(20 * k + 10, 20 * k + 30, 2), first_second=k) for k in range(NUM_SEGMENTS)]


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture
def server(shared_server: FaultServer, segments: list[bytes]) -> FaultServer:
    shared_server.answers = {f"/s{k}.ts": served(data) for k, data in enumerate(segments)}
    shared_server.seen.clear()
    return shared_server


def listed(first: int, last: int, *, is_ended: bool = False, tag_at: dict[int, str] | None = None) -> Answer:
    """A playlist of segments first to last."""
    lines = [
        line for k in range(first, last + 1) for line in ((tag_at or {}).get(k), f"s{k % NUM_SEGMENTS}.ts") if line
    ]
    return served(playlist(*lines, seconds=TARGET_SECONDS, first=first, is_ended=is_ended))


def opened(server: FaultServer, *answers: Answer, timeouts: Timeouts = PATIENT) -> Media:
    return open_hls(server.put("/live", then(*answers)), LOCAL, fetcher=Fetcher(LOCAL, timeouts))


def read(media: Media) -> tuple[list[int], VideoError | None]:
    """The segments that pictures came from, one for each second, and the error that ended it."""
    frames: list[Frame] = []
    raised: VideoError | None = None
    try:
        frames.extend(media.sampled_frames(1))
    except VideoError as error:
        raised = error
    assert [frame.pts_seconds for frame in frames] == list(range(len(frames)))
    levels = np.array([frame.image[30:].mean() for frame in frames])
    return [int(number) for number in np.floor((levels - 9) / 20)], raised


def test_a_live_stream_is_begun_near_its_end_and_followed_to_it(server: FaultServer) -> None:
    with opened(server, listed(0, 4), listed(0, 4), listed(1, 5), listed(3, 6), listed(4, 7, is_ended=True)) as media:
        assert media.info.is_live
        assert media.info.duration_seconds is None
        assert read(media) == ([2, 3, 4, 5, 6, 7], None)
    assert sum(seen.path == "/s4.ts" for seen in server.seen) == 1


def test_it_waits_between_requests(server: FaultServer) -> None:
    begun = monotonic()
    with opened(server, *[listed(0, k) for k in (2, 3, 4, 5)], listed(0, 5, is_ended=True)) as media:
        assert read(media) == ([0, 1, 2, 3, 4, 5], None)
    assert monotonic() - begun > 3.5 * TARGET_SECONDS
    assert sum(seen.path == "/live" for seen in server.seen) == 5


def test_segments_that_were_missed_or_lost_are_passed_over(server: FaultServer) -> None:
    server.put("/s4.ts", status(404))
    with opened(server, listed(0, 2), listed(4, 6), listed(5, 7, is_ended=True)) as media:
        passed, error = read(media)
    assert error is None
    # The picture before a gap stays on screen: the stream's own clock runs on.
    assert passed == [0, 1, 2, 2, 2, 5, 6, 7]


def test_too_many_lost_segments_end_it(server: FaultServer) -> None:
    for k in (3, 4, 5, 6):
        server.put(f"/s{k}.ts", status(404))
    with opened(server, listed(0, 2), listed(0, 7)) as media:
        passed, error = read(media)
    assert passed == [0, 1, 2]
    assert isinstance(error, SourceNotFoundError)


def test_a_clock_that_jumps(server: FaultServer, segments: list[bytes]) -> None:
    server.put("/s3.ts", served(grey_video("mpegts", range(70, 90, 2), first_second=9000)))
    tags = {3: "#EXT-X-DISCONTINUITY"}
    for tag_at in (None, tags):
        with opened(server, listed(0, 3, tag_at=tag_at), listed(1, 4, is_ended=True, tag_at=tag_at)) as media:
            assert read(media)[0] == [1, 2, 3, 4]


def test_a_resolution_that_changes(server: FaultServer) -> None:
    server.put("/s4.ts", served(grey_video("mpegts", range(90, 110, 2), size=(128, 96), first_second=4)))
    with opened(server, listed(0, 3), listed(1, 5, is_ended=True)) as media:
        shapes = [frame.image.shape[0] for frame in media.sampled_frames(1)]
    assert shapes == [48, 48, 48, 96, 48]


def test_a_server_that_starts_again(server: FaultServer) -> None:
    with opened(server, listed(100, 102), listed(0, 1), listed(0, 2, is_ended=True)) as media:
        # 100 % 8 is 4: the same eight segments are offered under all numbers.
        assert read(media) == ([4, 5, 6, 0, 1, 2], None)


def test_an_older_playlist_from_a_cache_changes_nothing(server: FaultServer) -> None:
    with opened(server, listed(0, 3), listed(0, 2), listed(0, 4, is_ended=True)) as media:
        assert read(media) == ([1, 2, 3, 4], None)


def gone(handler: Handler) -> None:
    handler.cut()


@pytest.mark.parametrize(
    ("later", "error", "match"),
    [
        (lambda: listed(0, 2), SourceStalledError, "had no new segment for 1.5 s"),
        (lambda: status(404), SourceNotFoundError, "404"),
        (lambda: status(503), SourceUnreachableError, "503"),
        (lambda: gone, SourceUnreachableError, "did not respond"),
        (lambda: served(b"<html>"), NotAVideoError, "is not an HLS playlist"),
        (lambda: served(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n"), SourceUnreachableError, "another kind"),
        (lambda: served(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n", stall_after=3), SourceStalledError, "nothing received"),
    ],
)
def test_how_a_live_stream_is_lost(
    server: FaultServer, later: Callable[[], Answer], error: type[VideoError], match: str
) -> None:
    with opened(server, listed(0, 2), later(), timeouts=HASTY) as media:
        passed, raised = read(media)
    assert passed == [0, 1, 2]
    assert type(raised) is error
    assert raised.args[0].count("\n") == 0
    with pytest.raises(error, match=match):
        raise raised


def test_a_playlist_that_fails_once_is_asked_for_again(server: FaultServer) -> None:
    with opened(server, listed(0, 2), status(503), gone, listed(0, 3, is_ended=True)) as media:
        assert read(media) == ([0, 1, 2, 3], None)


def test_the_wall_clock_of_its_first_picture(server: FaultServer) -> None:
    tags = {k: f"#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:0{k}Z" for k in range(5)}
    with opened(server, listed(0, 4, tag_at=tags)) as media:
        assert media.info.started_at == 1767323042.0
