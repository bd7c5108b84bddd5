"""HLS whose segments are encrypted, by the program `openssl`: reads as the plain one; keys are got as segments are."""

import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from keepsight.errors import AddressRefusedError, TruncatedVideoError
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.readers.hls import open_hls
from keepsight.video.source import Media
from tests.sources.fault_server import (
    PATIENT,
    AllowingLoopback,
    FaultServer,
    grey_video,
    playlist,
    redirect,
    running,
    served,
    split_fragments,
)

LOCAL = Guard(allow_private=True)
KEY, OTHER_KEY, VECTOR = bytes(range(16)), bytes(range(50, 66)), bytes(range(100, 116))
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl, which encrypts")


def encrypted(data: bytes, key: bytes, first_vector: bytes) -> bytes:
    command = ["openssl", "enc", "-aes-128-cbc", "-K", key.hex(), "-iv", first_vector.hex()]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def segment(number: int) -> bytes:
    return grey_video("mpegts", range(20 * number + 10, 20 * number + 30, 2), first_second=number)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with running() as started:
        started.put("/key", served(KEY))
        started.put("/other", served(OTHER_KEY))
        yield started


def opened(server: FaultServer, *lines: str, first: int = 0, guard: Guard = LOCAL) -> Media:
    url = server.put("/list.m3u8", served(playlist(*lines, first=first)))
    return open_hls(url, guard, fetcher=Fetcher(guard, PATIENT))


def levels(media: Media) -> list[float]:
    return [float(frame.image[frame.image.shape[0] * 5 // 8 :].mean()) for frame in media.sampled_frames(5)]


def test_keys_and_vectors_are_those_of_each_segment(server: FaultServer) -> None:
    """A vector of its own, the segment's number for one, another key, and no encryption."""
    server.put("/0", served(encrypted(segment(0), KEY, VECTOR)))
    server.put("/1", served(encrypted(segment(1), KEY, (42).to_bytes(16, "big"))))
    server.put("/2", served(encrypted(segment(2), OTHER_KEY, (43).to_bytes(16, "big"))))
    server.put("/3", served(segment(3)))
    lines = [
        f'#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x{VECTOR.hex()}',
        "0",
        '#EXT-X-KEY:METHOD=AES-128,URI="key",KEYFORMAT="identity"',
        "1",
        '#EXT-X-KEY:METHOD=AES-128,URI="other"',
        "2",
        "#EXT-X-KEY:METHOD=NONE",
        "3",
    ]
    with opened(server, *lines, first=41) as media:
        server.seen.clear()
        assert np.allclose(levels(media), range(10, 90, 4), atol=4)
    assert sum(seen.path == "/key" for seen in server.seen) == 1  # kept for the next segment


def test_a_header_is_encrypted_too(server: FaultServer) -> None:
    head, fragments = split_fragments(grey_video("mp4", range(10, 50, 2), options=FRAGMENTS))
    for name, data in {"head": head, "f0": fragments[0], "f1": fragments[1]}.items():
        server.put(f"/{name}", served(encrypted(data, KEY, VECTOR)))
    lines = [f'#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x{VECTOR.hex()}', '#EXT-X-MAP:URI="head"', "f0", "f1"]
    with opened(server, *lines) as media:
        assert np.allclose(levels(media), range(10, 50, 4), atol=4)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (b"short", "must have 16 bytes, got 5"),
        (OTHER_KEY, "cannot decrypt .* with its key"),
        (None, "does not exist"),
    ],
)
def test_a_key_that_does_not_fit_is_said(server: FaultServer, key: bytes | None, reason: str) -> None:
    server.put("/0", served(encrypted(segment(0), KEY, bytes(16))))
    if key is not None:
        server.put("/wrong", served(key))
    with pytest.raises(TruncatedVideoError, match=reason):
        opened(server, '#EXT-X-KEY:METHOD=AES-128,URI="wrong"', "0")


@pytest.mark.parametrize("way", ["named", "redirected"])
def test_a_key_in_a_private_network_is_refused(server: FaultServer, way: str) -> None:
    guard = AllowingLoopback()
    server.put("/0", served(encrypted(segment(0), KEY, bytes(16))))
    server.put("/away", redirect("http://192.168.0.1/key"))
    uri = "http://192.168.0.1/key" if way == "named" else "away"
    with pytest.raises(AddressRefusedError, match="a private address"):
        opened(server, f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}"', "0", guard=guard)
