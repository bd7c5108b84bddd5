"""Streams over HTTP: watched, paused, resumed, removed, gone on with by the next server; what they hold, searched."""

import gc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.engine.watcher import Watcher
from keepsight.errors import StreamLockedError
from keepsight.journal import EndReason, Journal, StreamLock, split_sheet
from keepsight.method.memory.visual_memory import VisualMemory
from keepsight.server.http.views.streams import stream_view
from keepsight.server.settings import ServerSettings
from keepsight.settings import Settings
from tests.patience import wait_for
from tests.server.served import QUICK, Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo


def watched_alone(video: Path, folder: Path) -> list[tuple[int, str]]:
    with Watcher(ServedModel(), folder / "alone.db", QUICK) as watcher:
        return [(moment.clip_index, moment.caption) for moment in watcher.watch(video)]


def clips_of(client: Client, stream_id: str) -> list[tuple[int, str]]:
    page = client("GET", f"/v1/streams/{stream_id}/clips").data
    assert page["next_index"] is None
    return [(clip["clip_index"], clip["caption"]) for clip in page["clips"]]


def test_a_file_is_watched_to_its_end(client: Client, make_video: MakeVideo, tmp_path: Path) -> None:
    video = make_video(10)
    stream_id = client.begin(video)
    view = client.wait_for_state(stream_id, "complete")
    assert view["source"] == str(video.resolve())
    assert (view["num_clips"], view["end_seconds"], view["is_live"]) == (5, 10.0, False)
    assert view["figures"]["seconds_per_clip"] > 0
    assert view["num_bytes"] > 0
    assert clips_of(client, stream_id) == watched_alone(video, tmp_path)
    assert client("GET", "/v1/streams").data == [view]
    # Given again, it is there already.
    assert client.begin(video) == stream_id
    assert client.begin(video, restart=True) != stream_id


def test_a_stream_that_ends_while_it_is_looked_at_has_its_end(served: Served, make_video: MakeVideo) -> None:
    """State and end are of one moment, though the record was read before the run came to its end."""
    served.model.gate.clear()
    stream_id = served.client.begin(make_video(10))
    read_before = served.service.get(stream_id)
    assert stream_view(served.service, read_before).state == "watching"
    served.model.gate.set()
    served.client.wait_for_state(stream_id, "complete")
    view = stream_view(served.service, read_before)
    assert (view.state, view.end_seconds) == ("complete", 10.0)
    run = served.service.runs.of(stream_id)
    assert run is not None
    run.join()
    assert stream_view(served.service, read_before).state == "complete"


def test_an_older_stream_of_a_source_is_resumed(served: Served, make_video: MakeVideo, tmp_path: Path) -> None:
    client, video = served.client, make_video(20)
    served.model.gate.clear()
    older = client.begin(video)
    served.model.gate.set()
    client.wait_for(older, lambda view: view["num_clips"] >= 1)
    served.model.gate.clear()
    assert client("POST", f"/v1/streams/{older}/pause").status == 200
    served.model.gate.set()
    newer = client.begin(video, restart=True)
    client.wait_for_state(newer, "complete")
    assert newer != older
    assert client("POST", f"/v1/streams/{older}/resume").status == 200
    client.wait_for_state(older, "complete")
    assert clips_of(client, older) == clips_of(client, newer) == watched_alone(video, tmp_path)


def num_visual_memories() -> int:
    gc.collect()
    return sum(type(one) is VisualMemory for one in gc.get_objects())


def test_a_stream_that_has_ended_holds_no_visual_memory(served: Served, make_video: MakeVideo) -> None:
    """A server knows its streams for as long as it lives, and the tokens of a real model are megabytes."""
    num_before = num_visual_memories()
    served.model.gate.clear()
    stream_id = served.client.begin(make_video(10))
    wait_for(lambda: num_visual_memories() > num_before, "the stream has a visual memory")
    served.model.gate.set()
    served.client.wait_for_state(stream_id, "complete")
    run = served.service.runs.of(stream_id)
    assert run is not None
    run.join()
    assert num_visual_memories() == num_before


def test_pages_of_clips(client: Client, make_video: MakeVideo) -> None:
    stream_id = client.begin(make_video(10))
    client.wait_for_state(stream_id, "complete")
    seen, place = [], 0
    while place is not None:
        page = client("GET", f"/v1/streams/{stream_id}/clips?limit=2&from_index={place}").data
        seen += [clip["clip_index"] for clip in page["clips"]]
        place = page["next_index"]
    assert seen == [0, 1, 2, 3, 4]


def test_a_clip_with_its_picture(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    stream_id = client.begin(make_video(4))
    client.wait_for_state(stream_id, "complete")
    clip = client("GET", f"/v1/streams/{stream_id}/clips/1").data
    assert (clip["clip_index"], clip["start_seconds"], clip["frame_seconds"]) == (1, 2.0, [2.0, 2.5, 3.0, 3.5])
    assert len(clip["kept_indices"]) == clip["num_visual_tokens"] // 4
    picture = client("GET", f"/v1/streams/{stream_id}/clips/1/thumbnail")
    assert picture.headers["content-type"] == "image/jpeg"
    assert len(split_sheet(picture.content, 4)) == 4
    assert client("GET", f"/v1/streams/{stream_id}/clips/2").status == 404
    assert client("GET", f"/v1/streams/{stream_id}/clips/2/thumbnail").status == 404
    with served.service.journal.transaction():
        served.service.journal.storage.empty_thumbnails(served.service.journal.storage.oldest(9))
    assert client("GET", f"/v1/streams/{stream_id}/gaps").data == []


def test_captions_are_searched_in_one_stream_and_in_all(client: Client, make_video: MakeVideo) -> None:
    first, second = client.begin(make_video(4)), client.begin(make_video(6))
    for stream_id in (first, second):
        client.wait_for_state(stream_id, "complete")
    caption = client("GET", f"/v1/streams/{first}/clips").data["clips"][0]["caption"]
    number = caption.split()[-1].rstrip(".")
    found = client("GET", f"/v1/streams/{first}/moments?query={number}").data
    assert caption in [clip["caption"] for clip in found]
    assert {clip["stream_id"] for clip in client("GET", "/v1/moments?query=a&limit=100").data} == {first, second}
    assert client("GET", f"/v1/streams/{second}/moments?query=unheard").data == []


def test_pausing_stores_the_clip_in_work_and_resuming_goes_on(
    served: Served, make_video: MakeVideo, tmp_path: Path
) -> None:
    client, video = served.client, make_video(20)
    served.model.gate.clear()
    stream_id = client.begin(video)
    assert client("POST", f"/v1/streams/{stream_id}/resume").status == 200  # it is being watched anyway
    assert client("POST", "/v1/streams", {"source": str(video)}).status == 409
    served.model.gate.set()
    client.wait_for(stream_id, lambda view: view["num_clips"] >= 2)
    paused = client("POST", f"/v1/streams/{stream_id}/pause")
    if paused.data["state"] == "complete":  # a busy test machine was slower than the model
        pytest.skip("the video had ended before it was paused")
    assert paused.data["state"] == "paused"
    assert client("POST", f"/v1/streams/{stream_id}/pause").status == 409
    assert client("POST", f"/v1/streams/{stream_id}/resume").data["id"] == stream_id
    client.wait_for_state(stream_id, "complete")
    assert clips_of(client, stream_id) == watched_alone(video, tmp_path)
    assert client("POST", f"/v1/streams/{stream_id}/resume").status == 409


def test_a_stream_is_removed_with_all_it_had(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    kept, removed = client.begin(make_video(4)), client.begin(make_video(6))
    for stream_id in (kept, removed):
        client.wait_for_state(stream_id, "complete")
    with closing(client.events(f"/v1/streams/{removed}/events?after=99")) as events:
        assert next(events).name == "state"
        assert client("DELETE", f"/v1/streams/{removed}").status == 204
        assert next(events).name == "removed"
        assert list(events) == []
    assert client("GET", f"/v1/streams/{removed}").status == 404
    assert client("DELETE", f"/v1/streams/{removed}").status == 404
    assert [view["id"] for view in client("GET", "/v1/streams").data] == [kept]
    assert {clip["stream_id"] for clip in client("GET", "/v1/moments?query=a&limit=99").data} == {kept}
    assert served.service.journal.storage.num_bytes() == served.service.journal.storage.num_bytes(kept)


def test_the_next_server_goes_on_with_what_was_being_watched(
    server_settings: ServerSettings, make_video: MakeVideo, tmp_path: Path
) -> None:
    model, video, paused_video = ServedModel(), make_video(20), make_video(18)
    with serve(server_settings, model) as served:
        model.gate.clear()
        paused = served.client.begin(paused_video)
        stream_id = served.client.begin(video)
        served.service.runs.of(paused).stop("paused")  # type: ignore[union-attr]
    with Journal.open(server_settings.journal) as journal:
        record = journal.streams.get(stream_id)
        num_clips = journal.clips.count(stream_id)
        assert record.end_reason is EndReason.INTERRUPTED
        assert num_clips < 10  # the clip in work was left
    with serve(server_settings, ServedModel()) as served:
        served.service.resume_active()
        served.client.wait_for_state(stream_id, "complete")
        assert clips_of(served.client, stream_id) == watched_alone(video, tmp_path)
        assert served.client("GET", f"/v1/streams/{paused}").data["state"] == "paused"


def test_a_stream_is_not_gone_on_with_by_another_model(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    model = ServedModel()
    with serve(server_settings, model) as served:
        model.gate.clear()
        stream_id = served.client.begin(make_video(20))
    with serve(server_settings, ServedModel(name="other")) as served:
        served.service.resume_active()
        assert served.client("GET", f"/v1/streams/{stream_id}").data["state"] == "interrupted"
        assert "restart the server with that model" in served.client("POST", f"/v1/streams/{stream_id}/resume").message


def test_a_damaged_video_is_watched_as_far_as_it_goes(client: Client, make_video: MakeVideo) -> None:
    whole = make_video(20)
    damaged = whole.with_name("damaged.avi")
    damaged.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reply = client("POST", "/v1/streams", {"source": str(damaged)})
    if reply.status == 422:  # an index at the end is missing
        assert damaged.name in reply.message
    else:
        assert client.wait_for_state(reply.data["id"], "truncated")["reason"]


def test_health(client: Client, served: Served) -> None:
    assert client("GET", "/v1/health/live").data == {"is_live": True}
    assert client("GET", "/v1/health/ready").status == 200
    served.service.end_event_streams()
    ready = client("GET", "/v1/health/ready")
    assert (ready.status, ready.data["is_ready"]) == (503, False)
    assert client("GET", "/v1/health/live").status == 200


def test_no_more_streams_than_allowed(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    model = ServedModel()
    model.gate.clear()
    with serve(replace(server_settings, max_streams=1), model) as served:
        served.client.begin(make_video(10))
        refused = served.client("POST", "/v1/streams", {"source": str(make_video(4))})
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "stream limit reached (1)" in refused.message


@pytest.mark.parametrize("restart", [False, True])
def test_a_stream_that_is_refused_leaves_nothing(
    served: Served, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    """No stream that the next server would go on with, and no mark of an end taken away."""
    client = served.client
    served.model.gate.clear()
    stream_id = client.begin(make_video(20))
    served.model.gate.set()
    client("POST", f"/v1/streams/{stream_id}/pause")
    before = client("GET", "/v1/streams").data

    def refuse(*_: object) -> None:
        raise StreamLockedError("it is already being watched, by process 7")

    with monkeypatch.context() as patch:
        patch.setattr(StreamLock, "acquire", refuse)
        reply = client("POST", "/v1/streams", {"source": str(make_video(20)), "restart": restart})
    assert (reply.status, "by process 7" in reply.message) == (409, True)
    assert client("GET", "/v1/streams").data == before


def test_a_memory_larger_than_the_window_is_noted(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    settings = Settings(frames_per_clip=4, sample_fps=4.0, memory_clips=6, retention=0.5, max_caption_tokens=16)
    with serve(server_settings, ServedModel(window=70), settings) as served:
        stream = served.client.wait_for_state(served.client.begin(make_video(4)), "complete")
    assert "of the 6 clips in memory: the context window of fake has 70 tokens" in stream["note"]
