"""A server plays and goes on with what was watched, and nothing else that lies in its place by now."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.server.settings import ServerSettings
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(ServerSettings(tmp_path / "journal.db", roots=(tmp_path,), port=0), ServedModel()) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


def upload(client: Client, content: bytes) -> str:
    upload_id = client("POST", "/v1/uploads", {"filename": "a.mp4", "num_bytes": len(content)}).data["id"]
    assert client("PATCH", f"/v1/uploads/{upload_id}", content, {"Upload-Offset": "0"}).status == 200
    return str(upload_id)


def watched(client: Client, path: Path) -> str:
    stream_id = client.begin(path)
    client.wait_for_state(stream_id, "complete")
    return stream_id


def test_a_file_that_was_replaced_is_not_played(client: Client, tmp_path: Path, make_video: MakeVideo) -> None:
    path = tmp_path / "latest.mp4"
    shutil.copy(make_video(4), path)
    old = watched(client, path)
    assert client("GET", f"/v1/streams/{old}/video").content == path.read_bytes()
    shutil.copy(make_video(6), path)
    for method in ("GET", "HEAD"):
        reply = client(method, f"/v1/streams/{old}/video", headers={"Range": "bytes=0-9"})
        assert reply.status == 409
    assert "replaced after it was watched" in client("GET", f"/v1/streams/{old}/video").message
    new = watched(client, path)
    assert new != old
    assert "was replaced since" in client("GET", f"/v1/streams/{new}").data["note"]
    assert client("GET", f"/v1/streams/{new}/video").content == path.read_bytes()
    assert client("GET", f"/v1/streams/{old}/video").status == 409
    assert client("POST", f"/v1/streams/{old}/resume").status == 409
    assert len(client("GET", f"/v1/streams/{old}/clips").data["clips"]) == 2  # what was seen of it stays
    shutil.copy(make_video(4), path)
    assert client("GET", f"/v1/streams/{old}/video").content == path.read_bytes()


@pytest.mark.parametrize("how", ["resume", "begin"])
def test_what_an_earlier_version_called_complete_too_early_goes_on(
    client: Client, tmp_path: Path, make_video: MakeVideo, how: str
) -> None:
    """Before content was known, the mark was set wherever reading ended."""
    path = Path(shutil.copy(make_video(6), tmp_path / "a.mp4"))
    stream = watched(client, path)
    clips = client("GET", f"/v1/streams/{stream}/clips").data["clips"]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("DELETE FROM clips WHERE clip_index > 0")
        connection.execute("DELETE FROM memory WHERE clip_index > 0")
        connection.execute(
            "UPDATE streams SET identity = NULL, next_clip_index = 1, last_clip_before_end = NULL, end_seconds = ?",
            (clips[0]["end_seconds"],),
        )
    if how == "resume":
        assert client("POST", f"/v1/streams/{stream}/resume").status == 200
    else:
        assert client.begin(path) == stream
    client.wait_for_state(stream, "complete")
    again = client("GET", f"/v1/streams/{stream}/clips").data["clips"]
    assert [clip["caption"] for clip in again] == [clip["caption"] for clip in clips]
    assert len(clips) > 1
    assert client("POST", f"/v1/streams/{stream}/resume").status == 409


def test_a_copy_is_watched_once_and_played_from_where_it_is(
    client: Client, tmp_path: Path, make_video: MakeVideo
) -> None:
    path, copy = tmp_path / "a.mp4", tmp_path / "b.mp4"
    for one in (path, copy):
        shutil.copy(make_video(4), one)
    stream_id = watched(client, path)
    reply = client("POST", "/v1/streams", {"source": str(copy)})
    stream = reply.data
    assert (stream["id"], stream["state"], stream["other_names"]) == (stream_id, "complete", [str(copy)])
    assert "has the same content as" in stream["note"]
    path.unlink()
    assert client("GET", f"/v1/streams/{stream_id}/video").content == copy.read_bytes()
    copy.unlink()
    assert client("GET", f"/v1/streams/{stream_id}/video").status == 404


def test_a_recording_that_has_grown_is_resumed(client: Client, tmp_path: Path, make_video: MakeVideo) -> None:
    whole = tmp_path / "whole.ts"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(make_video(8)), "-c:v", "mpeg2video", "-g", "4", str(whole)], check=True
    )
    path = tmp_path / "growing.ts"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    stream_id = client.begin(path)
    client.wait_for_state(stream_id, "complete")
    assert client("POST", f"/v1/streams/{stream_id}/resume").status == 409  # nothing new
    path.write_bytes(whole.read_bytes())
    assert client("POST", f"/v1/streams/{stream_id}/resume").status == 200
    client.wait_for_state(stream_id, "complete")
    grown = client("GET", f"/v1/streams/{stream_id}").data
    assert "has grown since it was watched" in grown["note"]
    assert grown["num_clips"] == 4
    assert client("GET", f"/v1/streams/{stream_id}/video").content == path.read_bytes()
    other = watched(client, whole)  # the same content again
    assert other == stream_id


def test_the_same_upload_twice_is_one(client: Client, make_video: MakeVideo) -> None:
    first = upload(client, make_video(4).read_bytes())
    reply = client("POST", "/v1/streams", {"upload_id": first})
    stream_id = reply.data["id"]
    client.wait_for_state(stream_id, "complete")
    second = upload(client, make_video(4).read_bytes())
    again = client("POST", "/v1/streams", {"upload_id": second}).data
    assert again["id"] == stream_id
    assert client("GET", f"/v1/uploads/{second}").status == 404  # nobody needs it
    assert client("GET", f"/v1/streams/{stream_id}/video").content == make_video(4).read_bytes()


def test_a_video_stream_is_chosen(client: Client, tmp_path: Path) -> None:
    from tests.video.test_stream_choice import two_with_default

    path = two_with_default(tmp_path / "two.mp4", 1)
    chosen = client("POST", "/v1/streams", {"source": str(path)}).data
    assert (chosen["video_stream"], "watching 1" in chosen["note"]) == (1, True)
    client.wait_for_state(chosen["id"], "complete")
    other = client("POST", "/v1/streams", {"source": str(path), "video_stream": 0}).data
    assert (other["video_stream"], other["id"] != chosen["id"]) == (0, True)
    client.wait_for_state(other["id"], "complete")
    assert client("POST", "/v1/streams", {"source": str(path), "video_stream": 7}).status == 422
    assert client("POST", "/v1/streams", {"source": "rtsp://192.0.2.1/a", "video_stream": 0}).status == 422
