"""Video that clients bring in chunks, and get back in ranges."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.errors import DiskFullError
from keepsight.hub.uploads.store import UNUSED_SECONDS, UploadStore
from keepsight.hub.uploads.upload import UploadLimits, harmless_name
from keepsight.hub.uploads.writing import writing
from keepsight.server.settings import ServerSettings
from tests.patience import DEADLINE_SECONDS
from tests.server.served import Client, Reply, Served, ServedModel, serve
from tests.small_videos import MakeVideo


@pytest.fixture
def server_settings(tmp_path: Path) -> ServerSettings:
    """The one root is empty: whatever is watched was uploaded."""
    (tmp_path / "root").mkdir()
    return ServerSettings(tmp_path / "journal.db", roots=(tmp_path / "root",), port=0)


@pytest.fixture
def served(server_settings: ServerSettings) -> Iterator[Served]:
    with serve(server_settings, ServedModel()) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


def begin(client: Client, content: bytes, filename: str = "kitchen.mp4") -> str:
    reply = client("POST", "/v1/uploads", {"filename": filename, "num_bytes": len(content)})
    assert (reply.status, reply.data["offset"]) == (201, 0), reply.content
    return str(reply.data["id"])


def send(client: Client, upload_id: str, offset: object, chunk: bytes) -> Reply:
    return client("PATCH", f"/v1/uploads/{upload_id}", chunk, {"Upload-Offset": str(offset)})


def bring(client: Client, content: bytes, filename: str = "kitchen.mp4", chunk_bytes: int = 5000) -> str:
    upload_id = begin(client, content, filename)
    for offset in range(0, len(content), chunk_bytes):
        reply = send(client, upload_id, offset, content[offset : offset + chunk_bytes])
        assert (reply.status, reply.data["offset"]) == (200, min(offset + chunk_bytes, len(content)))
    return upload_id


def test_an_upload_is_watched_shown_and_removed_with_its_stream(
    served: Served, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    client, content = served.client, make_video(6).read_bytes()
    upload_id = bring(client, content, "C:\\films\\<b>kitchen</b>.mp4")
    begun = client("POST", "/v1/streams", {"upload_id": upload_id})
    assert (begun.status, begun.data["source"]) == (201, "b>.mp4"), begun.content
    stream_id = begun.data["id"]
    assert client.wait_for_state(stream_id, "complete")["num_clips"] == 3
    folder = server_settings.journal.with_name("journal.db.uploads")
    assert (folder / f"{upload_id}.mp4").read_bytes() == content
    assert folder.stat().st_mode & 0o777 == 0o700
    assert client("POST", "/v1/streams", {"upload_id": upload_id}).data["id"] == stream_id
    assert client("DELETE", f"/v1/uploads/{upload_id}").status == 409
    assert client("GET", f"/v1/streams/{stream_id}/video").content == content
    assert str(folder) not in client("GET", f"/v1/streams/{stream_id}/export").content.decode()
    # Two streams of one upload: it goes with the last.
    again = client("POST", "/v1/streams", {"upload_id": upload_id, "restart": True}).data["id"]
    client.wait_for_state(again, "complete")
    assert client("DELETE", f"/v1/streams/{stream_id}").status == 204
    assert client("GET", f"/v1/uploads/{upload_id}").status == 200
    assert client("DELETE", f"/v1/streams/{again}").status == 204
    assert client("GET", f"/v1/uploads/{upload_id}").status == 404
    assert list(folder.iterdir()) == []


def test_offsets(client: Client) -> None:
    upload_id = begin(client, b"x" * 10)
    assert send(client, upload_id, 0, b"abcd").data["offset"] == 4
    wrong = send(client, upload_id, 0, b"abcd")
    assert (wrong.status, wrong.headers["upload-offset"]) == (409, "4")
    assert "4" in wrong.message
    assert send(client, upload_id, 5, b"e").status == 409
    assert client("GET", f"/v1/uploads/{upload_id}").data == {
        "id": upload_id,
        "filename": "kitchen.mp4",
        "num_bytes": 10,
        "offset": 4,
    }
    head = client("HEAD", f"/v1/uploads/{upload_id}")
    assert (head.status, head.headers["upload-offset"], head.content) == (200, "4", b"")
    assert send(client, upload_id, 4, b"1234567").status == 413
    assert send(client, upload_id, 4, b"").data["offset"] == 4
    assert client("POST", "/v1/streams", {"upload_id": upload_id}).status == 409
    assert client("DELETE", f"/v1/uploads/{upload_id}").status == 204
    assert send(client, upload_id, 4, b"123456").status == 404


@pytest.mark.parametrize("offset", ["-1", "x", "", "1e3", "99999999999999999999"])
def test_offsets_that_are_none(client: Client, offset: str) -> None:
    assert send(client, begin(client, b"abc"), offset, b"abc").status == 422
    assert client("PATCH", "/v1/uploads/0", b"abc").status == 422


def test_bodies_without_a_length_are_bounded_too(client: Client) -> None:
    upload_id = begin(client, b"x" * 10)
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=DEADLINE_SECONDS)) as connection:
        connection.request(
            "PATCH", f"/v1/uploads/{upload_id}", iter([b"1234", b"5678", b"9012"]), {"Upload-Offset": "0"}
        )
        assert connection.getresponse().status == 413
    offset = client("GET", f"/v1/uploads/{upload_id}").data["offset"]
    assert offset in (0, 4, 8)  # as the body came in pieces
    assert send(client, upload_id, offset, b"x" * (10 - offset)).data["offset"] == 10


def test_a_chunk_has_a_limit_of_its_own(client: Client) -> None:
    upload_id = begin(client, b"x" * (9 << 20))
    chunk = os.urandom(8 << 20)
    assert send(client, upload_id, 0, chunk + b"1").status == 413
    assert send(client, upload_id, 0, chunk).data["offset"] == len(chunk)


def test_what_came_of_a_chunk_that_was_cut_off_is_kept(client: Client, make_video: MakeVideo) -> None:
    content = make_video(4).read_bytes()
    upload_id = begin(client, content)
    cut = client.send(
        "PATCH",
        f"/v1/uploads/{upload_id}",
        content[:1000],
        {"Upload-Offset": "0", "Content-Length": str(len(content))},
    )
    cut.close()
    offset, status = 0, 409
    while status == 409:  # until the server has seen that nobody is there any more
        offset = client("GET", f"/v1/uploads/{upload_id}").data["offset"]
        status = send(client, upload_id, offset, content[offset:]).status
    assert (offset in (0, 1000), status) == (True, 200)
    stream_id = client("POST", "/v1/streams", {"upload_id": upload_id}).data["id"]
    client.wait_for_state(stream_id, "complete")


def test_the_next_server_goes_on_with_the_upload_and_the_stream(
    server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    content, model = make_video(9).read_bytes(), ServedModel()
    with serve(server_settings, model) as served:
        unfinished = begin(served.client, content)
        send(served.client, unfinished, 0, content[:3000])
        model.gate.clear()
        watched = bring(served.client, make_video(10).read_bytes(), "door.mp4")
        stream_id = served.client("POST", "/v1/streams", {"upload_id": watched}).data["id"]
    with serve(server_settings, ServedModel()) as served:
        served.service.resume_active()
        assert served.client.wait_for_state(stream_id, "complete")["source"] == "door.mp4"
        assert served.client("GET", f"/v1/streams/{stream_id}").data["num_clips"] == 5
        assert served.client("GET", f"/v1/uploads/{unfinished}").data["offset"] == 3000
        assert send(served.client, unfinished, 3000, content[3000:]).status == 200
        assert served.client("POST", "/v1/streams", {"upload_id": unfinished}).data["id"] != stream_id


def test_an_upload_that_is_no_video_is_removed(client: Client, server_settings: ServerSettings) -> None:
    upload_id = bring(client, b"no video " * 100)
    reply = client("POST", "/v1/streams", {"upload_id": upload_id})
    assert reply.status == 422
    assert str(server_settings.journal.parent) not in reply.message
    assert client("GET", f"/v1/uploads/{upload_id}").status == 404


def test_paths_of_uploads_are_nobodys_source(
    client: Client, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    upload_id = bring(client, make_video(4).read_bytes())
    path = server_settings.journal.with_name("journal.db.uploads") / f"{upload_id}.mp4"
    assert client("POST", "/v1/streams", {"source": str(path)}).status == 403
    for bad in ("../x", "%2e%2e", "a" * 32, "0" * 32, "x\0", "."):
        assert client("POST", "/v1/streams", {"upload_id": bad}).status == 404
        assert client("POST", "/v1/streams", {"source": f"upload:{bad}/../../etc/passwd"}).status in (404, 422)
    for bad in ("..", "%2e%2e%2fjournal", "0" * 32, "x" * 500, "%00"):
        assert client("GET", f"/v1/uploads/{bad}").status == 404
        assert client("DELETE", f"/v1/uploads/{bad}").status == 404
    both = {"upload_id": upload_id, "source": "x"}
    assert [client("POST", "/v1/streams", body).status for body in (both, {}, {"upload_id": ""})] == [422] * 3


def test_limits(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    limits = replace(server_settings, max_upload_bytes=100_000, max_uploads=2, max_uploads_total_bytes=150_000)
    with serve(limits, ServedModel()) as served:
        client, content = served.client, make_video(4).read_bytes()
        new = {"filename": "a.mp4", "num_bytes": 100_001}
        assert client("POST", "/v1/uploads", new).status == 413
        upload_id = bring(client, content)
        assert client("POST", "/v1/uploads", new | {"num_bytes": 100_000}).status == 201
        full = client("POST", "/v1/uploads", new | {"num_bytes": 1})
        assert (full.status, "upload limit reached (2" in full.message, int(full.headers["retry-after"]) > 0) == (
            429,
            True,
            True,
        )
        assert client("POST", "/v1/streams", {"upload_id": upload_id}).status == 201  # it does not count any longer
        full = client("POST", "/v1/uploads", new | {"num_bytes": 60_000})
        assert (full.status, "bytes" in full.message) == (429, True)
        assert client("POST", "/v1/uploads", new | {"num_bytes": 1}).status == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filename": "a"},
        {"filename": "", "num_bytes": 1},
        {"filename": "a" * 2000, "num_bytes": 1},
        {"filename": "a", "num_bytes": 0},
        {"filename": "a", "num_bytes": -1},
        {"filename": "a", "num_bytes": 1e30},
        {"filename": "a", "num_bytes": "x"},
        b'{"filename": "\\ud800", "num_bytes": 1}',
    ],
)
def test_bad_uploads(client: Client, body: object) -> None:
    assert client("POST", "/v1/uploads", body).status == 422


def test_a_disk_that_is_full(client: Client, server_settings: ServerSettings) -> None:
    upload_id = begin(client, b"x" * 10)
    path = server_settings.journal.with_name("journal.db.uploads") / f"{upload_id}.mp4"
    path.unlink()
    path.symlink_to("/dev/full")
    reply = send(client, upload_id, 0, b"x" * 10)
    assert (reply.status, "disk space" in reply.message) == (507, True)
    assert client("POST", "/v1/uploads", {"filename": "a", "num_bytes": 2**50}).status == 413
    assert client("GET", "/v1/streams").status == 200
    path.unlink()
    path.touch()
    assert send(client, upload_id, 0, b"x" * 10).status == 200  # there is room again


def test_only_one_writes_at_a_time(served: Served) -> None:
    upload_id = begin(served.client, b"x" * 10)
    store = served.service.sources.uploads
    with writing(store.get(upload_id), 0):
        assert send(served.client, upload_id, 0, b"abc").status == 409
        assert served.client("DELETE", f"/v1/uploads/{upload_id}").status == 409
    replies: list[int] = []
    senders = [
        threading.Thread(target=lambda: replies.append(send(served.client, upload_id, 0, b"x" * 10).status))
        for _ in range(6)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(replies) == [200, *[409] * 5]
    assert store.get(upload_id).offset == 10


def test_what_nobody_goes_on_with_is_removed_after_a_day(tmp_path: Path) -> None:
    used: set[str] = set()
    now = [0.0]
    store = UploadStore(tmp_path / "u", UploadLimits(100, 9, 1000), used.__contains__, lambda: now[0])
    kept, left = store.begin("kept.mp4", 10), store.begin("left.mp4", 10)
    used.add(kept.source)
    now[0] = left.path.stat().st_mtime + UNUSED_SECONDS - 60
    store.begin("a", 1)
    assert store.get(left.id) == left
    now[0] += 120
    fresh = store.begin("b", 1)
    assert {path.stem for path in store.folder.iterdir()} == {kept.id, fresh.id}
    with pytest.raises(DiskFullError):
        UploadStore(tmp_path / "u", UploadLimits(1 << 62, 9, 1 << 62), used.__contains__).begin("c", 1 << 60)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("kitchen.mp4", "kitchen.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.avi", "b.avi"),
        ("a\nb\0c\x1b[31m.mp4", "a b c [31m.mp4"),
        ("/", "upload"),
        ("x" * 900 + ".webm", "x" * 195 + ".webm"),
        ("küche ✓.mov", "küche ✓.mov"),
    ],
)
def test_names_are_made_harmless(filename: str, expected: str) -> None:
    assert harmless_name(filename) == expected
