"""HLS with an end: behaves as the file it was cut from."""

from collections.abc import Iterator

import numpy as np
import pytest

from keepsight.errors import (
    AddressRefusedError,
    NotAVideoError,
    SourceNotFoundError,
    SourceUnreachableError,
    TruncatedVideoError,
    VideoError,
)
from keepsight.sources.network import playlist_parsing
from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.fetching import ByteRange, Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.playlist_parsing import parse_playlist
from keepsight.sources.network.playlists import MediaPlaylist, Variant
from keepsight.sources.network.urls import parse_url
from keepsight.sources.network.variants import choose_variant
from keepsight.sources.readers.hls import open_hls
from keepsight.video import Frame
from keepsight.video.source import Media
from tests.sources.fault_server import (
    HASTY,
    PATIENT,
    AllowingLoopback,
    Answer,
    FaultServer,
    grey_video,
    playlist,
    redirect,
    running,
    served,
    split_fragments,
    status,
)

LOCAL = Guard(allow_private=True)
HERE = parse_url("http://a.test/dir/list.m3u8")
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files() -> Files:
    """Segments of one second each at ten pictures a second; their grey levels tell them apart."""
    made = {f"s{k}.ts": grey_video("mpegts", range(20 * k + 10, 20 * k + 30, 2), first_second=k) for k in range(5)}
    made["big.ts"] = grey_video("mpegts", range(100, 120, 2), size=(128, 96), first_second=1)
    made["jump.ts"] = grey_video("mpegts", range(150, 170, 2), first_second=5000)
    made["head.mp4"], fragments = split_fragments(grey_video("mp4", range(10, 70, 2), options=FRAGMENTS))
    made |= {f"f{k}.m4s": fragment for k, fragment in enumerate(fragments)}
    other_head, other = split_fragments(grey_video("mp4", range(100, 120, 2), size=(128, 96), options=FRAGMENTS))
    return made | {"other.mp4": other_head, "other0.m4s": other[0]}


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture
def server(shared_server: FaultServer, files: Files) -> FaultServer:
    shared_server.answers = {f"/{name}": served(data) for name, data in files.items()}
    shared_server.seen.clear()
    return shared_server


def opened(server: FaultServer, *lines: str, guard: Guard = LOCAL, timeouts: Timeouts = PATIENT) -> Media:
    url = server.put("/list.m3u8", served(playlist(*lines), content_type="application/vnd.apple.mpegurl"))
    return open_hls(url, guard, fetcher=Fetcher(guard, timeouts))


def levels_of(frames: list[Frame]) -> list[float]:
    return [float(frame.image[frame.image.shape[0] * 5 // 8 :].mean()) for frame in frames]


def assert_levels(frames: list[Frame], levels: list[int]) -> None:
    assert [frame.pts_seconds for frame in frames] == [k / 5 for k in range(len(levels))]
    assert np.allclose(levels_of(frames), levels, atol=4)


def test_segments_make_one_video(server: FaultServer) -> None:
    with opened(server, "s0.ts", "s1.ts", "s2.ts") as media:
        assert not media.info.is_live
        assert (media.info.duration_seconds, media.info.width, media.info.codec) == (3, 64, "h264")
        frames = list(media.sampled_frames(5))
        assert_levels(frames, list(range(10, 70, 4)))
        again = list(media.sampled_frames(5, start_seconds=1.5))
    assert [frame.pts_seconds for frame in again] == [frame.pts_seconds for frame in frames[8:]]
    assert np.allclose(levels_of(again), levels_of(frames[8:]), atol=0.01)


def test_fragments_with_a_header(server: FaultServer) -> None:
    with opened(server, '#EXT-X-MAP:URI="head.mp4"', "f0.m4s", "f1.m4s", "f2.m4s") as media:
        assert_levels(list(media.sampled_frames(5)), list(range(10, 70, 4)))
    assert sum(seen.path == "/head.mp4" for seen in server.seen) == 2  # once to open, once to read


def test_parts_of_one_file(server: FaultServer, files: Files) -> None:
    whole = files["head.mp4"] + files["f0.m4s"] + files["f1.m4s"]
    head, first, second = (len(files[name]) for name in ("head.mp4", "f0.m4s", "f1.m4s"))
    server.put("/whole.mp4", served(whole))
    lines = [
        f'#EXT-X-MAP:URI="whole.mp4",BYTERANGE="{head}@0"',
        f"#EXT-X-BYTERANGE:{first}@{head}",
        "whole.mp4",
        f"#EXT-X-BYTERANGE:{second}",
        "whole.mp4",
    ]
    with opened(server, *lines) as media:
        assert_levels(list(media.sampled_frames(5)), list(range(10, 50, 4)))


@pytest.mark.parametrize("tags", [["#EXT-X-DISCONTINUITY"], []])
def test_resolution_and_clock_may_change(server: FaultServer, tags: list[str]) -> None:
    with opened(server, "s0.ts", *tags, "big.ts", *tags, "jump.ts") as media:
        frames = list(media.sampled_frames(5))
    assert_levels(frames, [*range(10, 30, 4), *range(100, 120, 4), *range(150, 170, 4)])
    assert [frame.image.shape[0] for frame in frames] == [48] * 5 + [96] * 5 + [48] * 5


def test_another_header_starts_again(server: FaultServer) -> None:
    """What FFmpeg's own demuxer for HLS does not do: it keeps the first header."""
    lines = ['#EXT-X-MAP:URI="head.mp4"', "f0.m4s", '#EXT-X-MAP:URI="other.mp4"', "other0.m4s"]
    with opened(server, *lines) as media:
        frames = list(media.sampled_frames(5))
    assert_levels(frames, [*range(10, 30, 4), *range(100, 120, 4)])


def test_a_missing_segment(server: FaultServer) -> None:
    with opened(server, "s0.ts", "none.ts", "s2.ts") as media:
        frames = media.sampled_frames(5)
        assert len([next(frames) for _ in range(5)]) == 5
        with pytest.raises(TruncatedVideoError, match=r"its frames end at 00:01 of 00:03") as caught:
            next(frames)
    assert "404" in str(caught.value.__cause__)
    with opened(server, "s0.ts", "#EXT-X-GAP", "none.ts", "s2.ts") as media:
        assert len(list(media.sampled_frames(5))) == 15


def test_a_first_segment_that_is_missing(server: FaultServer) -> None:
    with pytest.raises(TruncatedVideoError, match=r"is missing: .*none\.ts does not exist"):
        opened(server, "none.ts", "s0.ts")


@pytest.mark.parametrize(
    "answer",
    [
        lambda data: served(data, kill_after=1000, kills=1),
        lambda data: served(data, stall_after=1000),
    ],
)
def test_a_segment_is_asked_for_again(server: FaultServer, files: Files, answer: object) -> None:
    assert callable(answer)
    made: Answer = answer(files["s1.ts"])
    server.put("/s1.ts", made)
    with opened(server, "s0.ts", "s1.ts", "s2.ts", timeouts=HASTY) as media:
        frames: list[Frame] = []
        try:
            frames += media.sampled_frames(5)
        except TruncatedVideoError:
            assert len(frames) == 5
        else:
            assert len(frames) == 15


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        ("file:///etc/passwd", "start with one of"),
        ("concat:s0.ts|s1.ts", "start with one of"),
        ("data:video/mp2t;base64,AAAA", "start with one of"),
        ("crypto+http://127.0.0.1/x", "start with one of"),
        ("udp://239.0.0.1:1234", "start with one of"),
        ("rtsp://127.0.0.1/x", "scheme must be http or https here"),
        ("http://169.254.169.254/latest", "metadata"),
        ("http://192.168.0.1/a.ts", "a private address"),
    ],
)
@pytest.mark.parametrize("place", ["segment", "header", "variant", "redirect"])
def test_every_address_in_a_playlist_is_judged(server: FaultServer, reference: str, match: str, place: str) -> None:
    guard = AllowingLoopback()
    server.put("/away", redirect(reference))
    lines = {
        "segment": [reference],
        "header": [f'#EXT-X-MAP:URI="{reference}"', "f0.m4s"],
        "variant": ["#EXT-X-STREAM-INF:BANDWIDTH=1", reference],
        "redirect": ["away"],
    }[place]
    with pytest.raises(AddressRefusedError, match=match):
        opened(server, *lines, guard=guard)


def test_a_refusal_in_the_middle_is_told_after_the_frames_before(server: FaultServer) -> None:
    with opened(server, "s0.ts", "http://192.168.0.1/a.ts", guard=AllowingLoopback()) as media:
        frames = media.sampled_frames(5)
        assert len([next(frames) for _ in range(5)]) == 5
        with pytest.raises(AddressRefusedError, match="a private address"):
            next(frames)


def test_credentials_go_to_the_playlists_host_only(server: FaultServer, files: Files) -> None:
    guard = Guard(allow_private=True, resolver=lambda host, port: ["127.0.0.1"])
    server.put("/list.m3u8", served(playlist("s0.ts", server.url("/s1.ts", host="cdn.test"))))
    with open_hls(server.url("/list.m3u8", user="u:p@"), guard) as media:
        assert len(list(media.sampled_frames(5))) == 10
        assert "u:p" not in media.name
    sent = {seen.path: "authorization" in seen.headers for seen in server.seen}
    assert sent == {"/list.m3u8": True, "/s0.ts": True, "/s1.ts": False}


def test_the_variant_near_720_lines_is_read(server: FaultServer) -> None:
    master = "#EXTM3U\n" + "".join(
        f'#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={size},CODECS="avc1.4d401f,mp4a.40.2"\n{name}.m3u8\n'
        for bandwidth, size, name in [(9, "1920x1080", "high"), (5, "1280x720", "mid"), (1, "640x360", "low")]
    )
    server.put("/mid.m3u8", served(playlist("s0.ts")))
    server.put("/master", served(master.encode()))
    with open_hls(server.url("/master"), LOCAL, fetcher=Fetcher(LOCAL, PATIENT)) as media:
        assert len(list(media.sampled_frames(5))) == 5
    assert {seen.path for seen in server.seen} == {"/master", "/mid.m3u8", "/s0.ts"}


def variant(bandwidth: int, height: int | None, codecs: str = "") -> Variant:
    return Variant(HERE, bandwidth, height, codecs)


@pytest.mark.parametrize(
    ("variants", "chosen"),
    [
        ([variant(1, 480), variant(2, 1080)], 0),
        ([variant(9, 720), variant(2, 720)], 1),
        ([variant(1_000_000, None), variant(2_500_000, None), variant(9_000_000, None)], 1),
        ([variant(100, None, "mp4a.40.2"), variant(5_000_000, None, "avc1.4d401f,mp4a.40.2")], 1),
        ([variant(100, None, "mp4a.40.2")], 0),
        ([variant(3_000_000, None), variant(1, 240)], 1),
    ],
)
def test_which_variant_is_chosen(variants: list[Variant], chosen: int) -> None:
    assert choose_variant(variants, HERE) is variants[chosen]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("<html>", "is not an HLS playlist"),
        ("", "is not an HLS playlist"),
        ("#EXTM3U\ns0.ts", "a segment has no duration"),
        ("#EXTM3U\n#EXTINF:nan,\ns0.ts", "invalid number"),
        ("#EXTM3U\n#EXTINF:-1,\ns0.ts", "invalid number"),
        ("#EXTM3U\n#EXTINF:1e9,\ns0.ts", "invalid number"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n#EXTINF:1,\ns0.ts", "invalid number"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:-5@0\ns0.ts", "invalid number"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:5@-5\ns0.ts", "invalid number"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:1,\ns0.ts', "unsupported encryption"),
        (
            '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="com.apple.streamingkeydelivery"\n',
            "unsupported encryption",
        ),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n#EXTINF:1,\ns0.ts", "EXT-X-KEY without URI"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0xg\n#EXTINF:1,\ns0.ts', "invalid number"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1' + "0" * 32 + "\n#EXTINF:1,\ns0.ts", "invalid number"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXT-X-MAP:URI="h"\n#EXTINF:1,\ns0.ts', "EXT-X-MAP has no IV"),
        ('#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXTINF:1,\n{$a}.ts', "uses EXT-X-DEFINE"),
        ("#EXTM3U\n#EXT-X-MAP:BYTERANGE=1\n#EXTINF:1,\ns0.ts", "EXT-X-MAP without URI"),
        ("#EXTM3U\n" + "#EXT-X-STREAM-INF:BANDWIDTH=1\ns\n" * 201, "at most 200 variants"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\ns\n", "invalid number"),
    ],
)
def test_playlists_that_are_not_read(text: str, match: str) -> None:
    with pytest.raises(NotAVideoError, match=match):
        parse_playlist(text.encode(), HERE)


def test_a_playlist_has_a_limit_of_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlist_parsing, "MAX_SEGMENTS", 10)
    assert parse_playlist(playlist(*["s.ts"] * 10), HERE)
    with pytest.raises(NotAVideoError, match="at most 10 segments"):
        parse_playlist(playlist(*["s.ts"] * 11), HERE)


def test_what_a_playlist_says() -> None:
    text = (
        "\ufeff#EXTM3U\r\n#EXT-X-TARGETDURATION:6\r\n#EXT-X-MEDIA-SEQUENCE:41\r\n#EXT-X-KEY:METHOD=NONE\r\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.5+01:00\r\n#EXTINF:5.5,title, with a comma\r\n\r\n../a.ts?q=1\r\n"
        '# a comment\r\n#EXT-X-DISCONTINUITY\r\n#EXT-X-MAP:URI="h.mp4",BYTERANGE="10@5"\r\n#EXTINF:6\r\n'
        "#EXT-X-BYTERANGE:7@3\r\n/b.ts\r\n"
    )
    found = parse_playlist(text.encode(), HERE)
    assert isinstance(found, MediaPlaylist)
    assert (found.target_seconds, found.is_ended) == (6, False)
    first, second = found.segments
    assert (first.number, first.seconds, first.is_new_run, first.header) == (41, 5.5, False, None)
    assert (first.media.url.display, first.media.part) == ("http://a.test/a.ts?q=1", None)
    assert first.started_at == 1767319445.5
    assert (second.number, second.seconds, second.is_new_run) == (42, 6, True)
    assert second.media.part == ByteRange(3, 10)
    assert second.header is not None
    assert second.header.part == ByteRange(5, 15)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(404), SourceNotFoundError),
        (status(503), SourceUnreachableError),
        (served(b"#EXTM3U\n#EXT-X-ENDLIST\n"), NotAVideoError),
        (served(b"#EXTM3U\n" + b"# padding\n" * 900_000), NotAVideoError),
        (served(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist.m3u8\n"), NotAVideoError),
        (served(playlist("list.m3u8")), NotAVideoError),
    ],
)
def test_what_cannot_be_opened(server: FaultServer, answer: Answer, error: type[VideoError]) -> None:
    with pytest.raises(error):
        open_hls(server.put("/list.m3u8", answer), LOCAL, fetcher=Fetcher(LOCAL, PATIENT))


def test_loopback_is_refused_by_default(server: FaultServer) -> None:
    with pytest.raises(AddressRefusedError, match="--allow-private"):
        open_hls(server.put("/list.m3u8", served(playlist("s0.ts"))), Guard())
