"""A stream as a file: captions with times, everything as JSON, and the report."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from served import PATIENCE_SECONDS, Client, Served, ServedModel, serve

from keepsight.report import write_report
from keepsight.server.settings import ServerSettings


def test_exports(client: Client, make_video) -> None:
    stream_id = client.begin(make_video(4))
    client.wait_for_state(stream_id, "complete")
    first, second = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    vtt = client("GET", f"/v1/streams/{stream_id}/export?format=vtt")
    assert vtt.headers["content-disposition"] == f'attachment; filename="keepsight-{stream_id}.vtt"'
    assert vtt.content.decode() == (
        f"WEBVTT\n\n0\n00:00:00.000 --> 00:00:02.000\n{first['caption']}\n\n"
        f"1\n00:00:02.000 --> 00:00:04.000\n{second['caption']}\n\n"
    )
    srt = client("GET", f"/v1/streams/{stream_id}/export?format=srt").content.decode()
    assert srt.startswith(f"1\n00:00:00,000 --> 00:00:02,000\n{first['caption']}\n\n2\n")
    whole = json.loads(client("GET", f"/v1/streams/{stream_id}/export").content)
    assert set(whole) == {"stream", "clips", "gaps", "questions"}
    assert whole["clips"] == [first, second]


def test_the_report_is_the_one_that_the_command_writes(served: Served, make_video, tmp_path: Path) -> None:
    client = served.client
    stream_id = client.begin(make_video(10))
    client.wait_for_state(stream_id, "complete")
    client("POST", "/v1/questions", {"stream_id": stream_id, "question": "Where is <it>?"})
    reply = client("GET", f"/v1/streams/{stream_id}/export?format=report")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["content-disposition"] == f'attachment; filename="keepsight-{stream_id}.html"'
    written = write_report(served.service.journal, tmp_path / "report.html")
    assert written.num_clips == 5
    assert reply.content == (tmp_path / "report.html").read_bytes()


def test_the_report_of_an_upload_does_not_say_where_it_lies(served: Served, make_video) -> None:
    client, content = served.client, make_video(4).read_bytes()[:-40]  # damaged at its end
    made = client("POST", "/v1/uploads", {"filename": "kitchen.mp4", "num_bytes": len(content)}).data
    client("PATCH", f"/v1/uploads/{made['id']}", content, {"Upload-Offset": "0"})
    stream_id = client("POST", "/v1/streams", {"upload_id": made["id"]}).data["id"]
    client.wait_for(stream_id, lambda view: view["state"] in ("complete", "truncated", "failed"))
    report = client("GET", f"/v1/streams/{stream_id}/export?format=report").content.decode()
    assert "kitchen.mp4" in report
    assert str(served.service.sources.uploads.folder) not in report


def test_as_many_reports_are_written_at_a_time_as_there_may_be(
    monkeypatch: pytest.MonkeyPatch, server_settings: ServerSettings, make_video
) -> None:
    monkeypatch.setattr("keepsight.server.app.MOST_REPORTS", 0)
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(4))
        refused = served.client("GET", f"/v1/streams/{stream_id}/export?format=report")
        assert (refused.status, refused.headers["retry-after"].isdigit()) == (429, True)
        assert "reports are being written" in refused.message
        assert served.client("GET", f"/v1/streams/{stream_id}/export").status == 200


def test_who_goes_away_gives_the_place_back(
    monkeypatch: pytest.MonkeyPatch, server_settings: ServerSettings, make_video
) -> None:
    monkeypatch.setattr("keepsight.server.app.MOST_REPORTS", 1)
    with serve(server_settings, ServedModel()) as served:
        client = served.client
        stream_id = client.begin(make_video(4))
        client.wait_for_state(stream_id, "complete")
        path = f"/v1/streams/{stream_id}/export?format=report"
        for _ in range(3):
            with closing(client.connect()) as connection:
                connection.request("GET", path, headers={"Host": client.netloc})
        end = time.monotonic() + PATIENCE_SECONDS
        while (status := client("GET", path).status) == 429 and time.monotonic() < end:
            time.sleep(0.02)
        assert status == 200
