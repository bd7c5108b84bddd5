"""A server whose journal goes away, or is locked by another program."""

from pathlib import Path

from keepsight.server.settings import ServerSettings
from tests.journal.lock_holder import release, write_lock_held
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo


def test_a_journal_that_is_removed_is_told_everywhere(
    served: Served, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    client, path = served.client, server_settings.journal
    served.model.gate.clear()
    stream_id = client.begin(make_video(12))
    events = client.events(f"/v1/streams/{stream_id}/events")
    assert next(events).name == "state"
    assert client("GET", "/v1/health/ready").status == 200
    path.unlink()
    served.model.gate.set()
    left = list(events)  # they end
    assert [event.name for event in left if event.name == "clip"] == []
    assert left[-1].name == "problem"
    assert "was removed while it was open" in left[-1].data["error"]["message"]
    ready = client("GET", "/v1/health/ready")
    assert ready.status == 503
    assert [str(path) in reason for reason in ready.data["reasons"]] == [True]
    for request in ("/v1/streams", f"/v1/streams/{stream_id}", f"/v1/streams/{stream_id}/clips"):
        reply = client("GET", request)
        assert (reply.status, "was removed" in reply.message) == (503, True)
    for run in served.service.runs.all():
        run.join()
        assert (run.state, "00:00-00:02 is not stored" in run.reason) == ("failed", True)
    assert not path.exists()


def ask_everything(client: Client, stream_id: str) -> None:
    """Lists, searches, pictures, events and figures."""
    for path in (
        "/v1/streams",
        f"/v1/streams/{stream_id}",
        f"/v1/streams/{stream_id}/clips",
        f"/v1/streams/{stream_id}/clips/0/thumbnail",
        f"/v1/streams/{stream_id}/gaps",
        f"/v1/streams/{stream_id}/events?follow=false",
        "/v1/moments?query=dog",
        "/v1/moments?query=dog&method=meaning",
        "/metrics",
    ):
        assert client("GET", path).status == 200, path


def test_a_lock_of_another_program_stops_no_reading(
    served: Served, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    client, video = served.client, make_video(12)
    stream_id = client.begin(video)
    client.wait_for(stream_id, lambda view: view["num_clips"] >= 1)
    client.wait_for_state(stream_id, "complete")
    with write_lock_held(server_settings.journal) as holder:  # requests that need it are refused until released
        for _ in range(3):
            ask_everything(client, stream_id)
        answer = client("POST", "/v1/questions", {"stream_id": stream_id, "question": "where is the dog?"})
        assert answer.status == 200
        assert "another program holds its lock" in answer.data["not_stored"]
        release(holder)
    answer = client("POST", "/v1/questions", {"stream_id": stream_id, "question": "where is the dog?"})
    assert (answer.status, answer.data["not_stored"]) == (200, "")
    assert len(client("GET", f"/v1/streams/{stream_id}/questions").data) == 1


def test_a_stream_that_waits_for_the_lock_says_so_and_goes_on(tmp_path: Path, make_video: MakeVideo) -> None:
    settings = ServerSettings(tmp_path / "journal.db", roots=(make_video(12).parent,), port=0)
    with serve(settings, ServedModel()) as served:
        client = served.client
        served.model.gate.clear()
        stream_id = client.begin(make_video(12))
        with write_lock_held(settings.journal) as holder:
            served.model.gate.set()
            view = client.wait_for(stream_id, lambda view: view["reason"])
            assert "another program has locked the journal" in view["reason"]
            assert client("GET", "/v1/health/ready").status == 503
            ask = ("/v1/streams", f"/v1/streams/{stream_id}/clips", "/v1/moments?query=dog")
            assert [client("GET", path).status for path in ask] == [200] * 3
            release(holder)
        assert client.wait_for_state(stream_id, "complete")["num_clips"] == 6
        assert client("GET", "/v1/health/ready").status == 200
