"""How long files may say they are. Files are real ones, of a few kilobytes."""

from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.errors import SettingError
from keepsight.server.settings import ServerSettings
from tests.server.served import Client, ServedModel, serve
from tests.small_videos import MakeVideo
from tests.sources.fault_server import running
from tests.sources.fault_server import served as file_answer
from tests.video.media import Recipe, write_video

HOUR = 3_600_000
"""In milliseconds."""
DAY = 24 * HOUR


@pytest.fixture
def server_settings(tmp_path: Path) -> ServerSettings:
    (tmp_path / "root").mkdir()
    return ServerSettings(tmp_path / "journal.db", roots=(tmp_path / "root",), port=0)


@pytest.fixture
def root(server_settings: ServerSettings) -> Path:
    return server_settings.roots[0]


def bring(client: Client, content: bytes, filename: str) -> str:
    """An upload that is whole; its id."""
    upload_id = client("POST", "/v1/uploads", {"filename": filename, "num_bytes": len(content)}).data["id"]
    assert client("PATCH", f"/v1/uploads/{upload_id}", content, {"Upload-Offset": "0"}).status == 200
    return str(upload_id)


def hourly(hours: int) -> list[int]:
    """Times of pictures that are seen for an hour each: nothing in it is a jump of the clock."""
    return [HOUR * hour for hour in range(hours + 1)]


@pytest.mark.parametrize(("name", "times"), [("two.mkv", [0, 9 * DAY]), ("hourly.mp4", hourly(216))])
def test_a_file_of_nine_days_is_refused(client: Client, root: Path, name: str, times: list[int]) -> None:
    path = write_video(root / name, times)
    reply = client("POST", "/v1/streams", {"source": str(path)})
    assert (reply.status, reply.message) == (413, f"{path} must be at most 168 hours long, got 216 hours")
    assert client("GET", "/v1/streams").data == []
    assert path.exists()


@pytest.mark.parametrize("seconds", [20, 60])
def test_a_file_within_the_limit_is_watched(client: Client, root: Path, seconds: int) -> None:
    """Its first picture stays until the second, however long: 2 frames a second, 4 of them a clip."""
    stream_id = client.begin(write_video(root / "kitchen.mkv", [0, 1000 * seconds]))
    assert client.wait_for_state(stream_id, "complete")["num_clips"] == seconds // 2 + 1


def test_a_file_that_says_nothing_is_watched_and_a_jump_in_it_takes_no_time(client: Client, root: Path) -> None:
    unsaid = Recipe(container_options={"live": "1"})
    stream_id = client.begin(write_video(root / "cut-off.mkv", [0, 40, 9 * DAY, 9 * DAY + 40], unsaid))
    assert client.wait_for_state(stream_id, "complete")["end_seconds"] < 1


def test_a_file_that_goes_on_for_too_long_is_left_whatever_it_said(server_settings: ServerSettings, root: Path) -> None:
    unsaid = Recipe(container_options={"live": "1"})
    path = write_video(root / "endless.mkv", [second * 1000 for second in range(60)], unsaid)
    settings = replace(server_settings, max_file_hours=9 / 3600)
    with serve(settings, ServedModel()) as served:
        stream_id = served.client("POST", "/v1/streams", {"source": str(path)}).data["id"]
        view = served.client.wait_for_state(stream_id, "failed")
        assert view["num_clips"] == 5  # of two seconds: the first that ends too late is the last
        assert "the file is longer than the limit of 0.0025 hours" in view["reason"]
        assert served.client("GET", "/v1/health/ready").data["failed_streams"] == [stream_id]
    with serve(settings, ServedModel()) as served:
        served.service.resume_active()  # the next server does not resume it either
        view = served.client("GET", f"/v1/streams/{stream_id}").data
        assert (view["state"], view["num_clips"]) == ("failed", 5)
        assert "0.0025 hours" in view["reason"]


def test_an_upload_that_is_too_long_is_removed(client: Client, server_settings: ServerSettings, tmp_path: Path) -> None:
    content = write_video(tmp_path / "long.mkv", [0, 9 * DAY]).read_bytes()
    upload_id = bring(client, content, "kitchen.mkv")
    reply = client("POST", "/v1/streams", {"upload_id": upload_id})
    assert (reply.status, reply.message) == (413, "kitchen.mkv must be at most 168 hours long, got 216 hours")
    assert client("GET", f"/v1/uploads/{upload_id}").status == 404
    assert list(server_settings.journal.with_name("journal.db.uploads").iterdir()) == []


def test_a_remote_file_that_is_too_long_is_refused(server_settings: ServerSettings, tmp_path: Path) -> None:
    content = write_video(tmp_path / "long.mkv", [0, 9 * DAY]).read_bytes()
    with running() as remote, serve(replace(server_settings, allow_private=True), ServedModel()) as served:
        source = remote.put("/long.mkv", file_answer(content, content_type="video/x-matroska"))
        secret = source.replace("://", "://user:hunter2@")
        reply = served.client("POST", "/v1/streams", {"source": secret})
        assert (reply.status, reply.message) == (413, f"{source} must be at most 168 hours long, got 216 hours")


def test_the_limit_is_that_of_the_settings_and_live_sources_have_none(
    server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    settings = replace(server_settings, roots=(make_video(4).parent,), max_file_hours=5 / 3600)
    with serve(settings, ServedModel()) as served:
        assert served.client("POST", "/v1/streams", {"source": str(make_video(6))}).status == 413
        served.client.begin(make_video(4))
        assert served.client("POST", "/v1/streams", {"source": "push:door"}).status == 201


def test_what_was_begun_before_the_limit_is_not_gone_on_with(
    server_settings: ServerSettings, make_video: MakeVideo, caplog: pytest.LogCaptureFixture
) -> None:
    model = ServedModel()
    with serve(server_settings, model) as served:
        model.gate.clear()
        upload_id = bring(served.client, make_video(20).read_bytes(), "door.mp4")
        stream_id = served.client("POST", "/v1/streams", {"upload_id": upload_id}).data["id"]
    with serve(replace(server_settings, max_file_hours=19 / 3600), ServedModel()) as served:
        served.service.resume_active()
        assert "door.mp4 must be at most 0.00527778 hours long, got 0.00555556 hours" in caplog.text
        assert served.client("POST", f"/v1/streams/{stream_id}/resume").status == 413
        assert served.client("GET", f"/v1/uploads/{upload_id}").status == 200  # there is a stream of it
    with serve(server_settings, ServedModel()) as served:
        assert served.client("POST", f"/v1/streams/{stream_id}/resume").status == 200
        served.client.wait_for_state(stream_id, "complete")


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf")])
def test_limits_that_are_none(server_settings: ServerSettings, hours: float) -> None:
    with pytest.raises(SettingError, match=f"max_file_hours must be a finite number over 0, got {hours}"):
        replace(server_settings, max_file_hours=hours)
