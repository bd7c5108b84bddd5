"""What was kept of clips, what the memory holds, and the toy video: against the clips themselves."""

from dataclasses import replace
from pathlib import Path

from keepsight.server.settings import ServerSettings
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

ROWS, COLUMNS = 2, 2


def watched(client: Client, video: Path) -> str:
    stream_id = client.begin(video)
    client.wait_for_state(stream_id, "complete")
    return stream_id


def test_kept_tokens_stand_in_their_frames(client: Client, make_video: MakeVideo) -> None:
    stream_id = watched(client, make_video(4))
    clip = client("GET", f"/v1/streams/{stream_id}/clips/1").data
    kept = client("GET", f"/v1/streams/{stream_id}/clips/1/kept").data
    assert kept["token_grid"] == [ROWS, COLUMNS]
    assert kept["kept_indices"] == clip["kept_indices"]
    assert [frame["seconds"] for frame in kept["frames"]] == clip["frame_seconds"]
    # Counted the other way round: each cell of each frame, whether its number is among those kept.
    for number, frame in enumerate(kept["frames"]):
        expected = [
            [row, column]
            for row in range(ROWS)
            for column in range(COLUMNS)
            if number * ROWS * COLUMNS + row * COLUMNS + column in clip["kept_indices"]
        ]
        assert sorted(frame["cells"]) == expected
    assert client("GET", f"/v1/streams/{stream_id}/clips/2/kept").status == 404
    assert client("GET", f"/v1/streams/{stream_id}/clips/x/kept").status == 422
    assert client("GET", "/v1/streams/0000000000000000/clips/0/kept").status == 404


def test_the_memory_holds_the_newest_clips(client: Client, make_video: MakeVideo) -> None:
    stream_id = watched(client, make_video(10))
    memory = client("GET", f"/v1/streams/{stream_id}/memory").data
    assert (memory["policy"], memory["capacity_clips"]) == ("fifo", 3)
    assert [clip["clip_index"] for clip in memory["clips"]] == [2, 3, 4]
    assert [clip["age_clips"] for clip in memory["clips"]] == [2, 1, 0]
    assert [clip["start_seconds"] for clip in memory["clips"]] == [4.0, 6.0, 8.0]
    assert all(clip["has_thumbnail"] for clip in memory["clips"])
    for clip in memory["clips"]:
        kept = client("GET", f"/v1/streams/{stream_id}/clips/{clip['clip_index']}/kept").data
        assert {name: clip[name] for name in kept} == kept
    assert memory["num_tokens"] == sum(len(clip["kept_indices"]) for clip in memory["clips"])


def test_the_memory_of_a_stream_that_has_seen_nothing(served: Served, make_video: MakeVideo) -> None:
    served.model.gate.clear()
    stream_id = served.client.begin(make_video(4))
    memory = served.client("GET", f"/v1/streams/{stream_id}/memory").data
    assert (memory["clips"], memory["num_tokens"]) == ([], 0)
    assert served.client("GET", "/v1/streams/0000000000000000/memory").status == 404


def test_a_toy_video_is_made_and_watched(server_settings: ServerSettings, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with serve(replace(server_settings, roots=(tmp_path / "missing", root)), ServedModel()) as served:
        made = served.client("POST", "/v1/toy", {"minutes": 0.2, "seed": 3})
        assert made.status == 201
        served.client.wait_for_state(made.data["id"], "complete")
        video = Path(made.data["source"])
        assert video.is_relative_to(root.resolve())
        assert {path.suffix for path in video.parent.iterdir()} == {".mp4", ".json"}
        # The same one again is the same stream.
        assert served.client("POST", "/v1/toy", {"minutes": 0.2, "seed": 3}).data["id"] == made.data["id"]
        for wrong in ({"minutes": 0}, {"minutes": 61}, {"minutes": 1e400}, {"seed": -1}, {"size": 4}):
            assert served.client("POST", "/v1/toy", wrong).status == 422


def test_no_toy_video_where_nothing_can_be_written(server_settings: ServerSettings, tmp_path: Path) -> None:
    with serve(replace(server_settings, roots=(tmp_path / "missing",)), ServedModel()) as served:
        refused = served.client("POST", "/v1/toy", {"minutes": 0.2})
        assert refused.status == 500
        assert "toy video" in refused.message
