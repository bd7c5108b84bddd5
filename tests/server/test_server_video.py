"""The video of a stream in ranges, against RFC 9110 and the bytes of the file; only what lies under the roots."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.hub.media_types import video_type
from keepsight.server.settings import ServerSettings
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "kitchen.mp4").write_bytes(make_video(4).read_bytes())
    with serve(ServerSettings(folder / "journal.db", roots=(folder,), port=0), ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    return served.client


@pytest.fixture(scope="module")
def content(make_video: MakeVideo) -> bytes:
    return make_video(4).read_bytes()


@pytest.fixture(scope="module")
def path(served: Served) -> str:
    stream_id = served.client.begin(served.service.journal.path.with_name("kitchen.mp4"))
    served.client.wait_for_state(stream_id, "complete")
    return f"/v1/streams/{stream_id}/video"


def test_the_whole_video(client: Client, path: str, content: bytes) -> None:
    reply = client("GET", path)
    assert (reply.status, reply.content) == (200, content)
    expected = {"content-type": "video/mp4", "accept-ranges": "bytes", "x-content-type-options": "nosniff"}
    assert {name: reply.headers[name] for name in expected} == expected
    assert reply.headers["content-length"] == str(len(content))


def test_ranges_are_slices(client: Client, path: str, content: bytes) -> None:
    draw, size = random.Random(7), len(content)
    ranges = [(0, 0), (0, size - 1), (size - 1, size - 1), (0, size * 2)]
    ranges += [(first := draw.randrange(size), draw.randrange(first, size)) for _ in range(8)]
    for first, last in ranges:
        reply = client("GET", path, headers={"Range": f"bytes={first}-{last}"})
        assert (reply.status, reply.content) == (206, content[first : last + 1]), (first, last)
        assert reply.headers["content-range"] == f"bytes {first}-{min(last, size - 1)}/{size}"
        assert reply.headers["content-length"] == str(len(reply.content))
    for header, expected in (("bytes=100-", content[100:]), ("bytes=-100", content[-100:]), ("BYTES = 0-0", None)):
        reply = client("GET", path, headers={"Range": header})
        assert (reply.status, reply.content) == ((206, expected) if expected else (200, content)), header
    assert client("GET", path, headers={"Range": f"bytes=-{size * 9}"}).content == content


@pytest.mark.parametrize("header", ["bytes={size}-", "bytes={size}-{size}", "bytes=-0", "bytes=999999999999-"])
def test_ranges_outside_the_video(client: Client, path: str, content: bytes, header: str) -> None:
    reply = client("GET", path, headers={"Range": header.format(size=len(content))})
    assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{len(content)}")
    assert reply.message


@pytest.mark.parametrize(
    "header", ["bytes=5-4", "bytes=-", "bytes=", "bytes", "items=0-1", "bytes=0-1,4-5", "bytes=a-b", "bytes=٣-٤", ""]
)
def test_what_is_no_range_is_passed_over(client: Client, path: str, content: bytes, header: str) -> None:
    reply = client("GET", path, headers={"Range": header.encode().decode("latin-1")})
    assert (reply.status, len(reply.content)) == (200, len(content))


def test_a_range_of_another_version_is_the_whole(client: Client, path: str, content: bytes) -> None:
    tag = client("GET", path).headers["etag"]
    for condition, expected in ((tag, 206), ('"other"', 200), (f"W/{tag}", 200)):
        assert client("GET", path, headers={"Range": "bytes=0-9", "If-Range": condition}).status == expected


def test_only_files_under_the_roots_are_shown(served: Served, tmp_path: Path, content: bytes) -> None:
    client, folder = served.client, served.service.journal.path.parent
    for source, expected in (
        (str(tmp_path / "outside.mp4"), 403),
        (str(folder / "gone.mp4"), 404),
        (str(folder), 404),
        ("https://example.com/kitchen.mp4", 404),
        ("rtsp://example.com/door", 404),
        ("push:door", 404),
        ("upload:" + "0" * 32 + "/a.mp4", 404),
        ("unix:/run/frames", 404),
        ("/dev/video0", 404),
    ):
        (tmp_path / "outside.mp4").write_bytes(content)
        stream = served.service.journal.streams.begin(source, "fake", "{}")
        reply = client("GET", f"/v1/streams/{stream.id}/video")
        assert reply.status == expected, source
        assert reply.message
    link = folder / "link.mp4"
    link.symlink_to(tmp_path / "outside.mp4")
    stream = served.service.journal.streams.begin(str(link), "fake", "{}")
    assert client("GET", f"/v1/streams/{stream.id}/video").status == 403


def test_types_come_from_a_fixed_list() -> None:
    names = ("a.MP4", "a.webm", "a.html", "a.svg", "a", "a.mp4.js")
    binary = "application/octet-stream"
    assert [video_type(name) for name in names] == ["video/mp4", "video/webm", binary, binary, binary, binary]


def test_a_token_is_needed(served: Served, path: str, tmp_path: Path) -> None:
    settings = ServerSettings(tmp_path / "a.db", roots=(tmp_path,), port=0, token="a-token-for-tests-only")
    with serve(settings, ServedModel()) as guarded:
        assert replace(guarded.client, token=None)("GET", path).status == 401


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=10-19"}])
def test_the_head_alone(client: Client, path: str, headers: dict[str, str]) -> None:
    whole, head = client("GET", path, headers=headers), client("HEAD", path, headers=headers)
    assert (head.status, head.content) == (whole.status, b"")
    same = ("content-type", "content-length", "content-range", "accept-ranges", "etag")
    assert [head.headers.get(name) for name in same] == [whole.headers.get(name) for name in same]


@pytest.mark.parametrize("path", ["/", "/v1/health/live", "/v1/health/ready", "/metrics"])
def test_who_only_looks_whether_it_is_there_asks_for_the_head(client: Client, path: str) -> None:
    assert (client("HEAD", path).status, client("HEAD", path).content) == (200, b"")
