"""Clips pinned over HTTP, and what the quotas of a server leave of its streams."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from keepsight.journal import Quota
from keepsight.server.settings import ServerSettings
from tests.models.random_model import RandomShape, write_random_model
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

UNKNOWN = "0123456789abcdef"


def watch(client: Client, video: Path, **more: object) -> str:
    """A stream that was watched to its end."""
    stream_id = client.begin(video, **more)
    client.wait_for_state(stream_id, "complete")
    return stream_id


def pin_path(stream_id: str, clip_index: int) -> str:
    return f"/v1/streams/{stream_id}/clips/{clip_index}/pin"


def pinned_in(journal: Path) -> set[tuple[str, int]]:
    """As another program reads it."""
    with closing(sqlite3.connect(journal)) as connection:
        return set(connection.execute("SELECT stream_id, clip_index FROM clips WHERE pinned"))


def shown(client: Client, stream_id: str) -> dict[int, bool]:
    """Whether each clip of a stream is pinned; all routes that show clips say the same."""
    clips = client("GET", f"/v1/streams/{stream_id}/clips?limit=1000").data["clips"]
    answer = {clip["clip_index"]: clip["is_pinned"] for clip in clips}
    events = client.events(f"/v1/streams/{stream_id}/events?follow=false")
    assert {one.data["clip_index"]: one.data["is_pinned"] for one in events if one.name == "clip"} == answer
    for route in ("moments?query=a", "moments?query=a&method=meaning"):
        found = client("GET", f"/v1/streams/{stream_id}/{route}").data
        assert found
        assert {clip["clip_index"]: clip["is_pinned"] for clip in found}.items() <= answer.items()
    exported = client("GET", f"/v1/streams/{stream_id}/export").data["clips"]
    assert {clip["clip_index"]: clip["is_pinned"] for clip in exported} == answer
    for index, is_pinned in answer.items():
        assert client("GET", f"/v1/streams/{stream_id}/clips/{index}").data["is_pinned"] is is_pinned
    return answer


def test_a_clip_is_pinned_and_unpinned_as_often_as_one_likes(
    client: Client, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    stream_id, other = watch(client, make_video(10)), watch(client, make_video(4))
    before = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    assert shown(client, stream_id) == dict.fromkeys(range(5), False)
    for _ in range(2):
        pinned = client("PUT", pin_path(stream_id, 3))
        assert (pinned.status, pinned.data) == (200, before[3] | {"is_pinned": True})
        assert pinned_in(server_settings.journal) == {(stream_id, 3)}
        assert shown(client, stream_id) == dict.fromkeys(range(5), False) | {3: True}
        assert shown(client, other) == {0: False, 1: False}
    for _ in range(2):
        unpinned = client("DELETE", pin_path(stream_id, 3))
        assert (unpinned.status, unpinned.data) == (200, before[3])
        assert pinned_in(server_settings.journal) == set()
    assert client("GET", f"/v1/streams/{stream_id}/clips").data["clips"] == before


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_not_there_is_not_pinned(
    client: Client, server_settings: ServerSettings, make_video: MakeVideo, method: str
) -> None:
    stream_id = watch(client, make_video(4))
    statuses = {
        pin_path(UNKNOWN, 0): 404,
        pin_path("..", 0): 404,
        pin_path(stream_id, 2): 404,
        pin_path(stream_id, 2**53): 404,
        pin_path(stream_id, -1): 422,
        f"/v1/streams/{stream_id}/clips/x/pin": 422,
        f"/v1/streams/{stream_id}/clips/0/pin/": 404,
    }
    for path, status in statuses.items():
        reply = client(method, path)
        assert (reply.status, bool(reply.message)) == (status, True), path
    assert pinned_in(server_settings.journal) == set()
    assert client("GET", pin_path(stream_id, 0)).status == 405
    assert client("DELETE", f"/v1/streams/{stream_id}").status == 204
    assert client(method, pin_path(stream_id, 0)).status == 404


def test_a_stream_that_is_watched_can_be_pinned_too(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    stream_id = client.begin(make_video(10))
    client.wait_for(stream_id, lambda view: view["num_clips"] >= 1)
    assert client("PUT", pin_path(stream_id, 0)).data["is_pinned"] is True
    client.wait_for_state(stream_id, "complete")
    assert shown(client, stream_id) == dict.fromkeys(range(5), False) | {0: True}


def test_of_each_stream_the_pinned_clips_are_left(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    """The quota is less than one clip; it is looked after when the next stream begins."""
    with serve(server_settings, ServedModel(), quota=Quota(max_stream_bytes=1)) as served:
        client = served.client
        first = watch(client, make_video(10))
        for index in (1, 3):
            assert client("PUT", pin_path(first, index)).status == 200
        second = watch(client, make_video(4))
        assert shown(client, first) == {1: True, 3: True}
        assert [client("GET", f"/v1/streams/{first}/clips/{index}/thumbnail").status for index in (1, 3)] == [200] * 2
        assert client("PUT", pin_path(first, 0)).status == 404
        assert set(shown(client, second)) == {0, 1}  # its newest clips are needed while it is watched
        assert client("DELETE", pin_path(first, 3)).data["is_pinned"] is False
        third = watch(client, make_video(2))
        assert shown(client, first) == {1: True}
        assert client("GET", f"/v1/streams/{second}/clips").data["clips"] == []
        assert set(shown(client, third)) == {0}


@dataclass(frozen=True)
class Stored:
    """A clip as it lies in the file, in bytes."""

    stream_id: str
    clip_index: int
    thumbnail_bytes: int
    other_bytes: int


def stored_in(journal: Path) -> tuple[list[Stored], dict[str, int]]:
    """All clips in the order in which they were stored, and the bytes of each stream's visual memory."""
    others = " + ".join(
        f"length(CAST({name} AS BLOB))" for name in ("caption", "frame_seconds", "kept_indices", "embedding", "scores")
    )
    with closing(sqlite3.connect(journal)) as connection:
        rows = connection.execute(
            f"SELECT stream_id, clip_index, length(thumbnail), {others} FROM clips ORDER BY id"
        ).fetchall()
        memory = connection.execute(
            "SELECT stream_id, sum(length(tokens) + length(positions)) FROM memory GROUP BY stream_id"
        ).fetchall()
    return [Stored(*row) for row in rows], dict(memory)


def test_in_all_the_oldest_go_and_the_pinned_clips_are_left(
    server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served:
        client = served.client
        first, second = watch(client, make_video(10)), watch(client, make_video(6))
        pinned = {(first, 1), (second, 0)}
        for stream_id, index in pinned:
            assert client("PUT", pin_path(stream_id, index)).status == 200
        clips, memory = stored_in(server_settings.journal)
        # The stream that will have the quota looked after: it has one clip, so that happens once.
        last = watch(client, make_video(2))
        (last_clip,) = stored_in(server_settings.journal)[0][len(clips) :]
        last_bytes = last_clip.thumbnail_bytes + last_clip.other_bytes + stored_in(server_settings.journal)[1][last]
        assert client("DELETE", f"/v1/streams/{last}").status == 204
    free = [clip for clip in clips if (clip.stream_id, clip.clip_index) not in pinned]
    assert [(clip.stream_id, clip.clip_index) for clip in free] == [
        *((first, index) for index in (0, 2, 3, 4)),
        *((second, index) for index in (1, 2)),
    ]
    assert set(memory) == {first, second}
    kept_bytes = sum(
        clip.thumbnail_bytes + clip.other_bytes for clip in clips if (clip.stream_id, clip.clip_index) in pinned
    )
    # Room for the captions of the three newest, and for no picture.
    max_bytes = kept_bytes + sum(clip.other_bytes for clip in free[-3:]) + last_bytes
    with serve(server_settings, ServedModel(), quota=Quota(max_bytes=max_bytes)) as served:
        client = served.client
        watch(client, make_video(2))
        assert shown(client, first) == {1: True, 4: False}
        assert shown(client, second) == {0: True, 1: False, 2: False}
        for stream_id, index, status in [(first, 1, 200), (first, 4, 404), (second, 0, 200), (second, 2, 404)]:
            assert client("GET", f"/v1/streams/{stream_id}/clips/{index}/thumbnail").status == status


@pytest.mark.parametrize("flag", ["--max-stream-gigabytes", "--max-gigabytes"])
def test_the_command_keeps_pinned_clips(tmp_path: Path, make_video: MakeVideo, flag: str) -> None:
    model = write_random_model(tmp_path / "model", RandomShape(num_layers=2))
    words = ["serve", "--port", "0", "--model", str(model), "--sample-fps", "4", "--root", str(make_video(20).parent)]
    with subprocess.Popen(
        [sys.executable, "-c", "from keepsight.cli import main; main()", *words, flag, "1e-9"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("KEEPSIGHT_")},
    ) as process:
        try:
            assert process.stdout is not None
            client = Client(int(process.stdout.readline().rpartition(":")[2]))
            first = watch(client, make_video(20))
            assert client("PUT", pin_path(first, 2)).status == 200
            watch(client, make_video(4))
            clips = client("GET", f"/v1/streams/{first}/clips").data["clips"]
            assert [(clip["clip_index"], clip["is_pinned"]) for clip in clips] == [(2, True)]
        finally:
            process.send_signal(signal.SIGTERM)
