"""Server-sent events: each clip once, whenever a viewer comes, goes and comes back; many viewers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from keepsight.server.settings import ServerSettings
from tests.patience import wait_for
from tests.server.served import Client, Event, Served, ServedModel, serve
from tests.small_videos import MakeVideo


def clips(events: Iterator[Event]) -> Iterator[Event]:
    return (event for event in events if event.name == "clip")


def test_a_viewer_who_comes_back_in_the_middle_misses_nothing(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    served.model.gate.clear()
    stream_id = client.begin(make_video(20))
    path = f"/v1/streams/{stream_id}/events"
    seen: list[Any] = []
    last_id: str | None = None
    # Away after each number of clips; the gate opens while the first viewer waits, so that clips come live.
    for num_wanted in (2, 1, 3, 4):
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        with closing(client.events(path, headers=headers)) as events:
            assert next(events).name == "state"
            served.model.gate.set()
            for event in islice(clips(events), num_wanted):
                last_id = event.id
                assert event.id == str(event.data["clip_index"])
                seen.append(event.data)
    assert [clip["clip_index"] for clip in seen] == list(range(10))
    assert seen == client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    client.wait_for_state(stream_id, "complete")
    (state,) = client.events(f"{path}?follow=false", headers={"Last-Event-ID": "9"})
    assert (state.name, state.data["state"]) == ("state", "complete")


def test_a_viewer_who_comes_back_to_the_next_server(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    model = ServedModel()
    with serve(server_settings, model) as served:
        stream_id = served.client.begin(make_video(20))
        path = f"/v1/streams/{stream_id}/events"
        with closing(served.client.events(path)) as events:
            first = [event.id for event in islice(clips(events), 3)]
    back = {"Last-Event-ID": str(first[-1])}
    with serve(server_settings, ServedModel()) as served, closing(served.client.events(path, headers=back)) as events:
        assert next(events).name == "state"
        served.service.resume_active()
        rest = [event.id for event in islice(clips(events), 7)]
    assert first + rest == [str(number) for number in range(10)]


def test_states_are_told_once_each(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    served.model.gate.clear()
    stream_id = client.begin(make_video(10))
    states = []
    with closing(client.events(f"/v1/streams/{stream_id}/events")) as events:
        for event in events:
            served.model.gate.set()
            if event.name == "state":
                states.append(event.data["state"])
                if states[-1] == "complete":
                    break
    assert states == ["watching", "complete"]


def test_many_viewers_see_the_same(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    served.model.gate.clear()
    stream_id = client.begin(make_video(20))

    def view(_: int) -> list[str | None]:
        with closing(client.events(f"/v1/streams/{stream_id}/events")) as events:
            return [event.id for event in islice(clips(events), 10)]

    with ThreadPoolExecutor(30) as pool:
        seen = pool.map(view, range(30))
        served.model.gate.set()
        assert list(seen) == [[str(number) for number in range(10)]] * 30


def test_silence_is_filled_and_the_server_ends_all_the_same(
    server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(replace(server_settings, heartbeat_seconds=0.05), ServedModel()) as served:
        stream_id = served.client.begin(make_video(4))
        served.client.wait_for_state(stream_id, "complete")
        connection = served.client.send("GET", f"/v1/streams/{stream_id}/events?after=1", None, {})
        response = connection.getresponse()
        lines = [response.readline().decode() for _ in range(8)]
        assert lines[0] == "retry: 2000\n"
        assert ": still here\n" in lines
    response.read()  # to its end, which came without a timeout
    connection.close()


def test_places_of_viewers_are_given_back(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    with serve(replace(server_settings, max_viewers=1, heartbeat_seconds=0.05), ServedModel()) as served:
        client: Client = served.client
        stream_id = client.begin(make_video(4))
        path = f"/v1/streams/{stream_id}/events"
        with closing(client.events(path)) as events:
            next(events)
            refused = client("GET", path)
            assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        # The server notices at the next heartbeat.
        wait_for(lambda: client("GET", f"{path}?follow=false").status == 200, "the place is given back")


@pytest.mark.parametrize("last_id", ["x", "-2", "1e3", "99999999999999999999", "1; DROP TABLE clips"])
def test_what_is_no_id_is_refused(client: Client, make_video: MakeVideo, last_id: str) -> None:
    stream_id = client.begin(make_video(4))
    assert client("GET", f"/v1/streams/{stream_id}/events", headers={"Last-Event-ID": last_id}).status == 422
