"""A stream as a file: captions with times, everything as JSON, and the report."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.journal import CaptionRecord
from keepsight.journal.clips import ClipTable
from keepsight.report import write_report
from keepsight.server.http.export import PIECE_CHARACTERS, in_pieces, srt_lines, vtt_lines
from keepsight.server.http.views.clips import ClipView
from keepsight.server.settings import ServerSettings
from tests.journal.clip_records import make_clip
from tests.patience import wait_for
from tests.server.served import PATIENCE_SECONDS, Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

NUM_CLIPS = 600


def test_exports(client: Client, make_video: MakeVideo) -> None:
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


def test_the_report_is_the_one_that_the_command_writes(served: Served, make_video: MakeVideo, tmp_path: Path) -> None:
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


def test_the_report_of_an_upload_does_not_say_where_it_lies(served: Served, make_video: MakeVideo) -> None:
    client, content = served.client, make_video(4).read_bytes()[:-40]  # damaged at its end
    made = client("POST", "/v1/uploads", {"filename": "kitchen.mp4", "num_bytes": len(content)}).data
    client("PATCH", f"/v1/uploads/{made['id']}", content, {"Upload-Offset": "0"})
    stream_id = client("POST", "/v1/streams", {"upload_id": made["id"]}).data["id"]
    client.wait_for(stream_id, lambda view: view["state"] in ("complete", "truncated", "failed"))
    report = client("GET", f"/v1/streams/{stream_id}/export?format=report").content.decode()
    assert "kitchen.mp4" in report
    assert str(served.service.sources.uploads.folder) not in report


def test_as_many_reports_are_written_at_a_time_as_there_may_be(
    monkeypatch: pytest.MonkeyPatch, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    monkeypatch.setattr("keepsight.server.http.app.MOST_REPORTS", 0)
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(4))
        refused = served.client("GET", f"/v1/streams/{stream_id}/export?format=report")
        assert (refused.status, refused.headers["retry-after"].isdigit()) == (429, True)
        assert "reports being written" in refused.message
        assert served.client("GET", f"/v1/streams/{stream_id}/export").status == 200


def test_who_goes_away_gives_the_place_back(
    monkeypatch: pytest.MonkeyPatch, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    monkeypatch.setattr("keepsight.server.http.app.MOST_REPORTS", 1)
    with serve(server_settings, ServedModel()) as served:
        client = served.client
        stream_id = client.begin(make_video(4))
        client.wait_for_state(stream_id, "complete")
        path = f"/v1/streams/{stream_id}/export?format=report"
        for _ in range(3):
            with closing(client.connect()) as connection:
                connection.request("GET", path, headers={"Host": client.netloc})
        wait_for(lambda: client("GET", path).status == 200, "a report, now that those who asked for one are gone")


@given(st.lists(st.text(max_size=9)), st.integers(1, 20))
def test_a_text_in_pieces_is_the_same_text(parts: list[str], num_characters: int) -> None:
    pieces = list(in_pieces(parts, num_characters))
    assert "".join(pieces) == "".join(parts)
    assert all(num_characters <= len(piece) < num_characters + 9 for piece in pieces[:-1])
    assert all(pieces)


@pytest.mark.parametrize("format", ["json", "vtt", "srt"])
def test_a_long_export_comes_in_few_pieces(served: Served, format: str) -> None:
    """Written out here from the records; a piece for each clip would cost twenty times the work."""
    journal = served.service.journal
    stream = journal.streams.begin("long", "fake", "{}")
    with journal.transaction():
        for index in range(NUM_CLIPS):
            journal.clips.add(make_clip(stream.id, index, caption=f"{index} <b>\n{'ä' * 200} & {{x}}"))
    whole, sizes = chunks_of(served.client, f"/v1/streams/{stream.id}/export?format={format}")
    clips = journal.clips.captions(stream.id)
    if format == "json":
        assert json.loads(whole)["clips"] == [
            json.loads(ClipView.model_validate(clip).model_dump_json()) for clip in clips
        ]
        lines = ",\n".join(ClipView.model_validate(clip).model_dump_json() for clip in clips)
        assert whole.endswith(f', "clips": [\n{lines}], "gaps": [], "questions": []}}\n')
    else:
        written = srt_lines(clips) if format == "srt" else vtt_lines(clips)
        assert whole == "".join(written)
    assert len(sizes) <= len(whole) // PIECE_CHARACTERS + 1 < 5
    assert len(sizes) > 1


def chunks_of(client: Client, path: str) -> tuple[str, list[int]]:
    """What is answered, and how long each chunk of it is (RFC 9112, section 7.1)."""
    with closing(client.connect()) as connection:
        connection.request("GET", path, headers={"Host": client.netloc, "Connection": "close"})
        assert connection.sock is not None
        raw = b"".join(iter(lambda: connection.sock.recv(1 << 16), b""))
    rest, content, sizes = raw.partition(b"\r\n\r\n")[2], b"", []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        content += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
        sizes += [int(size, 16)] if int(size, 16) else []
    return content.decode(), sizes


def test_others_are_answered_while_an_export_is_being_made(
    served: Served, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, reading, may_go_on = served.client, threading.Event(), threading.Event()
    stream_id = client.begin(make_video(4))
    client.wait_for_state(stream_id, "complete")
    captions_from = ClipTable.captions_from

    def slow(self: ClipTable, *arguments: Any) -> list[CaptionRecord]:
        reading.set()
        assert may_go_on.wait(PATIENCE_SECONDS)
        return captions_from(self, *arguments)

    monkeypatch.setattr(ClipTable, "captions_from", slow)
    with ThreadPoolExecutor() as pool:
        export = pool.submit(client, "GET", f"/v1/streams/{stream_id}/export?format=vtt")
        assert reading.wait(PATIENCE_SECONDS)
        for path in (
            "/v1/streams",
            "/v1/about",
            f"/v1/streams/{stream_id}",
            f"/v1/streams/{stream_id}/export?format=report",
        ):
            assert client("GET", path).status == 200
        assert not export.done()
        may_go_on.set()
        assert export.result(PATIENCE_SECONDS).content.startswith(b"WEBVTT")
