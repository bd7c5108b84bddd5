"""Standing questions over HTTP: alerts in lists and events, each once, over lost connections and restarts."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from keepsight.journal import Journal
from keepsight.models.judging import judging_prompt
from keepsight.server.settings import ServerSettings
from tests.fake_model import NOUNS
from tests.patience import DEADLINE_SECONDS, wait_for
from tests.server.served import Client, Event, Served, serve
from tests.server.standing_model import YesModel, add_clips, plain_alerts, says
from tests.small_videos import MakeVideo

PATH = "/v1/standing-questions"


@pytest.fixture
def served(server_settings: ServerSettings) -> Iterator[Served]:
    with serve(server_settings, YesModel()) as running:
        yield running


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Iterator[Served]:
    """One server for all that is refused."""
    journal = tmp_path_factory.mktemp("quiet") / "journal.db"
    with serve(ServerSettings(journal, roots=(make_video(4).parent,), port=0), YesModel()) as running:
        yield running


@pytest.fixture(scope="module")
def quiet_stream(quiet: Served, make_video: MakeVideo) -> str:
    return quiet.client.begin(make_video(4))


def add(client: Client, question: str = "Is there a dog?", **more: Any) -> Any:
    reply = client("POST", PATH, {"question": question, **more})
    assert reply.status == 201, reply.content
    return reply.data


def wait_until_checked(client: Client, question_id: str, num_checked: int) -> Any:
    def look() -> Any:
        view = client("GET", f"{PATH}/{question_id}").data
        return view if view["num_checked"] >= num_checked else None

    view = wait_for(look, f"{num_checked} captions are checked")
    assert view["num_checked"] == num_checked
    return view


def expected_alerts(client: Client, stream_id: str, word: str, cooldown_seconds: float = 0) -> list[int]:
    clips = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    return plain_alerts([(clip["start_seconds"], says(word, clip["caption"])) for clip in clips], cooldown_seconds)


def test_alerts_of_a_stream_that_is_watched(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    questions = [add(client, f"Tell me when a {noun} comes in", cooldown_seconds=5) for noun in NOUNS]
    stream_id = client.begin(make_video(20))
    client.wait_for_state(stream_id, "complete")
    num_alerts = 0
    for question, noun in zip(questions, NOUNS, strict=True):
        view = wait_until_checked(client, question["id"], 10)
        page = client("GET", f"{PATH}/{question['id']}/alerts").data
        told = [alert["clip_index"] for alert in reversed(page["alerts"])]
        assert told == expected_alerts(client, stream_id, noun, 5)
        assert (view["num_alerts"], view["num_skipped"], page["next_before"]) == (len(told), 0, None)
        num_alerts += len(told)
    assert num_alerts > 3
    events = list(client.events(f"/v1/streams/{stream_id}/events?follow=false"))
    assert [event.id for event in events if event.name == "clip"] == [str(index) for index in range(10)]
    alerts = [event for event in events if event.name == "alert"]
    assert [event.id for event in alerts] == [f"9.{event.data['id']}" for event in alerts]
    assert len({event.data["id"] for event in alerts}) == len(alerts) == num_alerts


def test_a_viewer_who_comes_back_after_each_event_has_each_once(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    for noun in NOUNS[:4]:
        add(client, f"Is there a {noun}?")
    served.model.gate.clear()
    stream_id = client.begin(make_video(20))
    path = f"/v1/streams/{stream_id}/events"
    seen: list[tuple[str, int]] = []
    last_id: str | None = None
    wanted = None
    end = time.monotonic() + DEADLINE_SECONDS
    while wanted is None or len(seen) < wanted:
        assert time.monotonic() < end, seen
        served.model.gate.set()
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        for event in islice((e for e in client.events(f"{path}?follow=false", headers=headers) if e.id is not None), 1):
            last_id = event.id
            seen.append((event.name, event.data["clip_index"] if event.name == "clip" else event.data["id"]))
        view = client("GET", f"/v1/streams/{stream_id}").data
        questions = client("GET", PATH).data
        if view["state"] == "complete" and all(question["num_checked"] == 10 for question in questions):
            wanted = 10 + sum(question["num_alerts"] for question in questions)
    assert [number for name, number in seen if name == "clip"] == list(range(10))
    alerts = [number for name, number in seen if name == "alert"]
    assert alerts == sorted(set(alerts))
    assert len(alerts) == wanted - 10 > 0
    # A plain index goes on after that clip, and says that no alert was had.
    back = [event for event in client.events(f"{path}?follow=false&after=7") if event.id is not None]
    assert [event.data["clip_index"] for event in back if event.name == "clip"] == [8, 9]
    assert [event.data["id"] for event in back if event.name == "alert"] == alerts
    assert [event.name for event in client.events(f"{path}?follow=false&after={last_id}")] == ["state"]


def test_a_live_viewer_is_told(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    served.model.gate.clear()
    stream_id = client.begin(make_video(20))
    for noun in NOUNS:
        add(client, f"Is there a {noun}?", stream_id=stream_id)
    with closing(client.events(f"/v1/streams/{stream_id}/events")) as events:
        next(events)
        served.model.gate.set()
        alert = next(event for event in events if event.name == "alert")
    clip = client("GET", f"/v1/streams/{stream_id}/clips/{alert.data['clip_index']}").data
    assert (clip["caption"], clip["start_seconds"]) == (alert.data["caption"], alert.data["start_seconds"])


def test_events_of_all_streams(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    (begin,) = [client.send("GET", "/v1/events?follow=false", None, {})]
    assert begin.getresponse().read().decode() == 'retry: 2000\nid: 0\nevent: since\ndata: {"alert_id": 0}\n\n'
    begin.close()
    served.model.gate.clear()
    first = client.begin(make_video(4))
    seen: list[Event] = []
    with closing(client.events("/v1/events")) as events:
        assert next(events).data == {"alert_id": 0}
        assert next(events).data["id"] == first
        add(client, cooldown_seconds=1e6)
        second = client.begin(make_video(10))
        journal = served.service.journal
        other = journal.streams.begin("by another program", "tiny", "{}").id
        add_clips(journal, other, [False, True])
        served.model.gate.set()
        served.service.signals.any.notify()
        for event in events:
            seen.append(event)
            names = [(e.data["id"], e.data["state"]) for e in seen if e.name == "state"]
            alerts = [e.data["stream_id"] for e in seen if e.name == "alert"]
            if {(first, "complete"), (second, "complete"), (other, "interrupted")} <= set(names) and other in alerts:
                break
        assert len(names) == len(set(names))
        assert {(second, "watching")} <= set(names)
        assert client("DELETE", f"/v1/streams/{second}").status == 204
        assert next(event for event in events if event.name == "removed").data == {"id": second}
    told = [event for event in seen if event.name == "alert"]
    assert [event.id for event in told] == [str(event.data["id"]) for event in told]
    again = client.events("/v1/events?follow=false&after=0")
    newest = client.events("/v1/events?follow=false", headers={"Last-Event-ID": told[-1].id})
    assert "alert" in {event.name for event in again}
    assert all(event.data["id"] > told[-1].data["id"] for event in newest if event.name == "alert")


def test_captions_written_while_the_server_was_down_are_checked_once(server_settings: ServerSettings) -> None:
    truths = [False, True, True, False, True]
    with Journal.create(server_settings.journal) as journal:
        stream_id = journal.streams.begin("s", "tiny", "{}").id
        add_clips(journal, stream_id, [True, True])
    with serve(server_settings, YesModel()) as served:
        question = add(served.client)
    for round_number in range(2):
        with Journal.open(server_settings.journal) as journal:
            add_clips(journal, stream_id, truths)
        model = YesModel()
        with serve(server_settings, model) as served:
            view = wait_until_checked(served.client, question["id"], 5 * (round_number + 1))
            alerts = served.client("GET", f"{PATH}/{question['id']}/alerts?limit=3").data
        assert len(model.asked) == 5
        assert view["num_alerts"] == 2 * (round_number + 1)
    assert [alert["clip_index"] for alert in alerts["alerts"]] == [11, 8, 6]
    assert alerts["next_before"] is not None


def test_added_shown_and_removed(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    stream_id = client.begin(make_video(4))
    added = add(client, "Tell me when a dog comes in", stream_id=stream_id, cooldown_seconds=60)
    assert added["method"] == "model"
    assert added["checked_for"] == judging_prompt("plain", "Tell me when a dog comes in")
    assert (added["webhook"], added.pop("webhook_secret")) == (None, None)
    by_words = add(client, "tell me when a red dog comes in", method="words")
    assert (by_words["checked_for"], by_words["stream_id"]) == ("red dog", None)
    assert [view["id"] for view in client("GET", PATH).data] == [added["id"], by_words["id"]]
    client.wait_for_state(stream_id, "complete")
    assert client("DELETE", f"{PATH}/{by_words['id']}").status == 204
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/alerts")):
        assert client(method, f"{PATH}/{by_words['id']}{rest}").status == 404
    assert client("DELETE", f"/v1/streams/{stream_id}").status == 204
    assert client("GET", PATH).data == []


def test_limits(server_settings: ServerSettings) -> None:
    with serve(replace(server_settings, max_standing_questions=2), YesModel()) as served:
        first = add(served.client)
        add(served.client)
        refused = served.client("POST", PATH, {"question": "q"})
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert "standing question limit reached (2)" in refused.message
        served.client("DELETE", f"{PATH}/{first['id']}")
        add(served.client)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": " \n"}, 422),
        ({"question": "x" * 501}, 422),
        ({"question": "q", "stream_id": "0123456789abcdef"}, 404),
        ({"question": "q", "stream_id": "x" * 65}, 422),
        ({"question": "q", "cooldown_seconds": -1}, 422),
        ({"question": "q", "cooldown_seconds": 1e12}, 422),
        ({"question": "q", "cooldown_seconds": None}, 422),
        ({"question": "q", "method": "magic"}, 422),
        ({"question": "tell me when it is there", "method": "words"}, 422),
        ({"question": "q", "colour": "red"}, 422),
        (b'{"question": "q", "cooldown_seconds": NaN}', 422),
        (b'{"question": "\\ud800"}', 422),
    ],
)
def test_what_is_refused(quiet: Served, body: object, expected: int) -> None:
    reply = quiet.client("POST", PATH, body)
    assert (reply.status, bool(reply.message)) == (expected, True)
    assert quiet.client("GET", PATH).data == []


@pytest.mark.parametrize("question_id", ["..", "%2e%2e", "x" * 5000, "0123456789ABCDEF", "0123456789abcdef", "a%00b"])
def test_ids_lead_nowhere_else(quiet: Served, question_id: str) -> None:
    for rest in ("", "/alerts"):
        assert quiet.client("GET", f"{PATH}/{question_id}{rest}").status == 404


@pytest.mark.parametrize("event_id", ["7.", ".7", "7.x", "7.-1", "-2", "7.1.2", "1e3", "99999999999999999.1"])
def test_what_is_no_event_id(quiet: Served, quiet_stream: str, event_id: str) -> None:
    path = f"/v1/streams/{quiet_stream}/events"
    assert quiet.client("GET", path, headers={"Last-Event-ID": event_id}).status == 422
    assert quiet.client("GET", f"{path}?after={event_id}").status == 422
