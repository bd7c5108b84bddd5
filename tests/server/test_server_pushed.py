"""Frames pushed over HTTP: what is described, what waits, and what is refused."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from keepsight.hub.pushing import points
from keepsight.hub.pushing.connection import MessagePipe
from keepsight.server.settings import ServerSettings
from keepsight.sources.messages import write_frame
from keepsight.video import Frame
from tests.patience import DEADLINE_SECONDS
from tests.server.served import Client, Reply, Served, ServedModel, serve
from tests.small_videos import MakeVideo

END = b'{"type": "end"}\n'


@pytest.fixture
def server_settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(tmp_path / "journal.db", roots=(tmp_path,), port=0, max_frame_pixels=64 * 48)


@pytest.fixture
def served(server_settings: ServerSettings) -> Iterator[Served]:
    with serve(server_settings, ServedModel()) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


def is_pending(count: int, view: Any) -> bool:
    return bool(view["figures"]["num_frames_pending"] == count)


def frames(first: int, end: int, fps: float = 2.0) -> bytes:
    """Frames in the wire format, each of one colour that tells its number."""
    out = BytesIO()
    for number in range(first, end):
        picture = np.full((48, 64, 3), (number * 7 % 256, number * 13 % 256, 60), np.uint8)
        write_frame(out, Frame(picture, number / fps))
    return out.getvalue()


def begin(client: Client, name: str = "push:door") -> str:
    reply = client("POST", "/v1/streams", {"source": name})
    assert (reply.status, reply.data["source"], reply.data["is_live"]) == (201, name, True), reply.content
    return str(reply.data["id"])


def push(client: Client, stream_id: str, body: bytes) -> Reply:
    return client("POST", f"/v1/streams/{stream_id}/frames", body, {"Content-Type": "application/octet-stream"})


def test_frames_are_described_whatever_requests_they_come_in(client: Client) -> None:
    stream_id = begin(client)
    assert push(client, stream_id, frames(0, 1)).data == {"num_frames": 1}
    assert push(client, stream_id, b"").data == {"num_frames": 0}
    body = frames(1, 16)
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=DEADLINE_SECONDS)) as connection:
        pieces = [body[start : start + 7777] for start in range(0, len(body), 7777)]
        connection.request("POST", f"/v1/streams/{stream_id}/frames", iter(pieces), encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == {"num_frames": 15}
    assert push(client, stream_id, frames(16, 17) + END).data == {"num_frames": 1}
    view = client.wait_for_state(stream_id, "complete")
    assert view["figures"]["num_frames_dropped"] == 0
    clips = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    whole = [client("GET", f"/v1/streams/{stream_id}/clips/{clip['clip_index']}").data for clip in clips]
    assert sum(len(clip["frame_seconds"]) for clip in whole) == 17
    assert push(client, stream_id, frames(0, 1)).status == 409
    # One that is resumed goes on.
    assert client("POST", f"/v1/streams/{stream_id}/resume").status == 200
    assert push(client, stream_id, frames(0, 5) + END).status == 200
    assert client.wait_for_state(stream_id, "complete")["num_clips"] > len(clips)


def test_what_comes_faster_than_real_time_waits_for_the_model(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "_PATIENCE_SECONDS", 0.5)
    client = served.client
    served.model.gate.clear()
    stream_id = begin(client)
    num_pushed = 0
    for number in range(200):
        if push(client, stream_id, frames(number, number + 1)).status == 429:
            break
        num_pushed += 1
    assert 32 < num_pushed < 200  # the queue is full, and nobody takes any
    served.model.gate.set()
    assert push(client, stream_id, frames(num_pushed, 200) + END).data == {"num_frames": 200 - num_pushed}
    view = client.wait_for_state(stream_id, "complete")
    assert view["figures"]["num_frames_dropped"] == 0
    assert client("GET", f"/v1/streams/{stream_id}/gaps").data == []
    clips = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    assert all(one["end_seconds"] == two["start_seconds"] for one, two in pairwise(clips))
    assert clips[-1]["end_seconds"] - clips[0]["start_seconds"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("body", "expected", "said"),
    [
        (b"hello\n", 422, "JSON"),
        (b"[]\n", 422, "JSON object"),
        (b'{"type": "frame"}\n', 422, "height"),
        (b'{"type": "frame", "width": -1, "height": 2, "pts_seconds": 0}\n', 422, "height"),
        (b'{"type": "frame", "width": true, "height": 2, "pts_seconds": 0}\n', 422, "height"),
        (b'{"type": "frame", "width": 1, "height": 1, "pts_seconds": "x"}\nabc', 422, "pts_seconds"),
        (b'{"type": "frame", "width": 1, "height": 1, "pts_seconds": -1}\nabc', 422, ""),
        (b'{"type": "frame", "width": 65, "height": 48, "pts_seconds": 0}\n', 413, "3072 pixels"),
        (b'{"type": "frame", "width": 10000000, "height": 10000000, "pts_seconds": 0}\n', 413, "pixels"),
        (b"x" * 20_000, 413, "16384"),
        (b'{"type": "frame", "width": 4, "height": 4, "pts_seconds": 0}\n123', 422, "truncated"),
        (b'{"type": "heartbeat"}', 422, "truncated"),
        (b"[" * 16_000 + b"\n", 422, "JSON"),
    ],
)
def test_bad_bodies(served: Served, body: bytes, expected: int, said: str) -> None:
    client = served.client
    stream_id = begin(client)
    reply = push(client, stream_id, frames(0, 1) + body)
    assert (reply.status, said in reply.message) == (expected, True), reply.content
    # The stream itself is none the worse for it.
    assert push(client, stream_id, frames(1, 6) + END).data == {"num_frames": 5}
    assert client.wait_for_state(stream_id, "complete")["num_clips"] == 2


def test_the_newest_frame_can_be_looked_at_before_its_clip_has_a_caption(served: Served) -> None:
    client = served.client
    stream_id = begin(client)
    path = f"/v1/streams/{stream_id}/frames/newest"
    assert client("GET", path).status == 404
    seconds: list[float] = []
    push(client, stream_id, frames(0, 1))
    for last in range(3):
        push(client, stream_id, frames(last + 1, last + 2))  # a picture is on screen until the next one
        client.wait_for(stream_id, partial(is_pending, last + 1))
        reply = client("GET", path)
        assert (reply.status, reply.headers["content-type"]) == (200, "image/jpeg")
        seconds.append(float(reply.headers["keepsight-pts-seconds"]))
        with Image.open(BytesIO(reply.content)) as picture:
            assert picture.size == (64, 48)
            assert np.abs(np.asarray(picture, int) - (last * 7 % 256, last * 13 % 256, 60)).max() <= 6
    assert seconds == sorted(set(seconds))
    assert client("GET", f"/v1/streams/{stream_id}").data["frames_per_clip"] == 4
    push(client, stream_id, END)
    client.wait_for_state(stream_id, "complete")
    assert client("GET", path).status == 404


def test_the_newest_frame_is_shown_while_the_model_is_busy_and_no_larger_than_needed(
    server_settings: ServerSettings,
) -> None:
    model = ServedModel()
    model.gate.clear()
    out = BytesIO()
    for number in range(7):
        write_frame(out, Frame(np.full((900, 1600, 3), number * 30, np.uint8), number / 2))
    with serve(replace(server_settings, max_frame_pixels=1600 * 900), model) as served:
        client, stream_id = served.client, begin(served.client)
        push(client, stream_id, out.getvalue())  # four of them are being described
        path = f"/v1/streams/{stream_id}/frames/newest"

        def is_newest(reply: Reply) -> bool:
            if reply.status != 200:
                return False
            with Image.open(BytesIO(reply.content)) as picture:
                assert picture.size == (640, 360)
                return abs(np.asarray(picture, int).mean() - 5 * 30) < 5

        # The last one is on screen until the next comes, so the one before it is the newest.
        client.wait_for(stream_id, lambda _: is_newest(client("GET", path)))
        model.gate.set()


def test_only_where_frames_are_pushed(client: Client, server_settings: ServerSettings, make_video: MakeVideo) -> None:
    source = server_settings.roots[0] / "kitchen.mp4"
    source.write_bytes(make_video(4).read_bytes())
    stream_id = client.begin(source)
    assert "push:NAME" in push(client, stream_id, frames(0, 1)).message
    assert push(client, "0" * 16, frames(0, 1)).status == 404
    for name in ("push:", "push:a b", "push:../x", "push:" + "x" * 65, "push:\n", "push:ü"):
        assert client("POST", "/v1/streams", {"source": name}).status == 422, name


def test_one_request_pushes_at_a_time(served: Served) -> None:
    stream_id = begin(served.client)
    with served.service.sources.pushed.of("push:door").taken():
        assert push(served.client, stream_id, frames(0, 1)).status == 409
    assert push(served.client, stream_id, frames(0, 1)).status == 200
    assert served.client("POST", "/v1/streams", {"source": "push:door"}).status == 409


def test_a_stream_that_waits_for_frames_is_paused_removed_and_gone_on_with(server_settings: ServerSettings) -> None:
    with serve(server_settings, ServedModel()) as served:
        stream_id, removed = begin(served.client), begin(served.client, "push:shed")
        assert served.client("POST", f"/v1/streams/{stream_id}/pause").data["state"] == "paused"
        assert "resume" in push(served.client, stream_id, frames(0, 1)).message
        assert served.client("POST", f"/v1/streams/{stream_id}/resume").status == 200
        assert served.client("DELETE", f"/v1/streams/{removed}").status == 204
        assert push(served.client, removed, frames(0, 1)).status == 404
        assert push(served.client, stream_id, frames(0, 5)).status == 200
    with serve(server_settings, ServedModel()) as served:
        served.service.resume_active()
        assert push(served.client, stream_id, frames(0, 9) + END).status == 200
        assert served.client.wait_for_state(stream_id, "complete")["num_clips"] >= 3


def test_a_body_that_stops_coming_is_not_waited_for(server_settings: ServerSettings) -> None:
    with serve(replace(server_settings, body_seconds=3.0), ServedModel()) as served:
        stream_id = begin(served.client)
        with closing(
            served.client.send("POST", f"/v1/streams/{stream_id}/frames", frames(0, 1), {"Content-Length": "1000000"})
        ) as slow:
            assert slow.getresponse().status == 408
        assert push(served.client, stream_id, frames(1, 2) + END).status == 200


def test_a_pipe_that_nobody_reads_takes_a_few_and_no_more() -> None:
    pipe = MessagePipe()
    assert [pipe.put(b"x", 0.0) for _ in range(3)] == [True, True, False]
    assert (pipe.readline(99), pipe.put(b"y", 0.0)) == (b"x", True)
    pipe.close()
    assert (pipe.put(b"z", 0.0), pipe.readline(99), pipe.is_over) == (False, b"", True)


def picture(number: int, coding: str = "PNG") -> bytes:
    out = BytesIO()
    Image.fromarray(np.full((48, 64, 3), number * 20, np.uint8)).save(out, coding)
    return out.getvalue()


def test_pictures_are_frames_at_the_time_that_is_said_or_now(client: Client) -> None:
    stream_id = begin(client)
    path = f"/v1/streams/{stream_id}/frames"
    for number, coding in enumerate(("JPEG", "PNG", "WEBP", "BMP", "PNG")):
        kind = {"Content-Type": f"image/{coding.lower()}"}
        reply = client("POST", f"{path}?pts_seconds={7 + number / 2}", picture(number, coding), kind)
        assert reply.data == {"num_frames": 1}, reply.content
    view = client.wait_for(stream_id, lambda view: view["num_clips"] == 1)
    times = client("GET", f"/v1/streams/{stream_id}/clips/0").data["frame_seconds"]
    assert (view["figures"]["num_frames_dropped"], np.diff(times).tolist()) == (0, [0.5] * 3)
    with Image.open(BytesIO(client("GET", f"/v1/streams/{stream_id}/clips/0/thumbnail").content)) as shown:
        assert abs(int(np.asarray(shown.convert("L")).mean()) - 40) < 25  # one of four greys
    # A time of the request is decades from those: the clock was set, and the stream goes on.
    assert client("POST", path, picture(5), {"Content-Type": "image/png"}).data == {"num_frames": 1}
    assert push(client, stream_id, END).status == 200
    client.wait_for_state(stream_id, "complete")


def test_what_is_no_picture_is_refused_and_the_stream_goes_on(client: Client) -> None:
    stream_id = begin(client)
    path, kind = f"/v1/streams/{stream_id}/frames", {"Content-Type": "image/jpeg"}
    assert client("POST", f"{path}?pts_seconds=0", picture(1, "JPEG"), kind).status == 200
    large = BytesIO()
    Image.new("RGB", (65, 48)).save(large, "PNG")
    for query, body, status, said in (
        ("", b"no picture", 422, "must be one of JPEG"),
        ("", picture(1, "JPEG")[:300], 422, "can't be read"),
        ("", large.getvalue(), 422, "more than 3072 pixels"),
        ("", b"x" * 80_000, 413, "at most 77824 bytes"),
        ("?pts_seconds=-1", picture(1), 422, "pts_seconds"),
        ("?pts_seconds=nan", picture(1), 422, "pts_seconds"),
    ):
        reply = client("POST", path + query, body, kind)
        assert (reply.status, said in reply.message) == (status, True), reply.content
    assert client("POST", f"{path}?pts_seconds=0.5", picture(1, "JPEG"), kind).data == {"num_frames": 1}
    assert push(client, stream_id, END).status == 200
    assert client.wait_for_state(stream_id, "complete")["num_clips"] == 1
