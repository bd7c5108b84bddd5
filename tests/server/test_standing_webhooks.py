"""Webhooks: signed, repeated until they are taken, over restarts and kills; and never sent where they may not be."""

import base64
import logging
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from keepsight.errors import DeliveryError
from keepsight.hub.standing.delivering import Deliverer
from keepsight.hub.standing.sending import Sender
from keepsight.journal import Journal
from keepsight.journal.standing_records import CheckMethod, StandingQuestion, Step, Webhook
from keepsight.server.settings import ServerSettings
from keepsight.sources.backoff import Backoff
from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.guard import Guard
from tests.patience import DEADLINE_SECONDS, wait_for
from tests.server.served import Client, Served, serve
from tests.server.standing_model import YesModel, add_clips
from tests.server.webhook_receiver import PATIENCE_SECONDS, receiving
from tests.small_videos import MakeVideo

PATH = "/v1/standing-questions"
QUICK = Backoff(0.02, 0.1)
ANYWHERE = Guard(allow_private=True)
SECRET = "whsec_for_tests"


def make_alerts(journal: Journal, url: str, count: int = 1) -> StandingQuestion:
    """A question with so many alerts that wait to be sent."""
    question = journal.standing.add("Is there a dog?", webhook=Webhook(url, SECRET))
    stream_id = journal.streams.begin("s", "tiny", "{}").id
    add_clips(journal, stream_id, [True] * count)
    for clip in journal.clips.captions(stream_id):
        (progress,) = [due for due in journal.standing.due() if due.question.id == question.id]
        journal.standing.advance(progress, Step(clip.clip_index + 1, True, 1, 0, clip))
    for progress in journal.standing.due():  # the clips are no other question's
        journal.standing.advance(progress, Step(progress.end_clip_index, False))
    return question


@contextmanager
def delivering(journal: Journal, sender: Sender | None = None) -> Iterator[None]:
    deliverer = Deliverer(journal, sender or Sender(ANYWHERE), QUICK)
    deliverer.start()
    try:
        yield
    finally:
        deliverer.stop()


def states(journal: Journal, question: StandingQuestion) -> list[str | None]:
    return [alert.delivery for alert in journal.alerts.of(question.id)]


def test_it_is_sent_again_until_it_is_taken(journal: Journal) -> None:
    with receiving(500, 0, 429) as receiver:
        question = make_alerts(journal, receiver.url)
        with delivering(journal):
            wait_for(lambda: states(journal, question) == ["delivered"])
        (alert,) = journal.alerts.of(question.id)
        assert len(receiver.received) == 4
    assert len({(one.path, one.body, one.delivery_id) for one in receiver.received}) == 1
    for one in receiver.received:
        assert one.is_signed_with(SECRET)
        assert not one.is_signed_with(SECRET + "x")
        assert one.headers["content-type"] == "application/json"
        assert (one.data["id"], one.data["caption"], one.data["clip_index"]) == (alert.id, alert.caption, 0)
        assert (one.data["standing_question_id"], one.data["question"]) == (question.id, "Is there a dog?")


def test_all_alerts_come_and_a_dead_receiver_holds_up_no_other(journal: Journal) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf, receiving(500, 503) as receiver:
        unheard = make_alerts(journal, f"http://127.0.0.1:{deaf.getsockname()[1]}/", 5)
        heard = make_alerts(journal, receiver.url, 5)
        sender = Sender(ANYWHERE, Timeouts(read_seconds=0.5, head_seconds=0.5))
        with delivering(journal, sender):
            wait_for(lambda: states(journal, heard) == ["delivered"] * 5)
            wait_for(lambda: bool(journal.deliveries.last_problem(unheard.id)))
    assert {one.data["clip_index"] for one in receiver.received} == set(range(5))
    assert states(journal, unheard) == ["waiting"] * 5
    assert journal.deliveries.last_problem(unheard.id) == "the webhook timed out"


def test_it_is_given_up_after_a_while(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepsight.journal.alerts.GIVE_UP_SECONDS", 0.2)
    with receiving(*[500] * 1000) as receiver:
        question = make_alerts(journal, receiver.url)
        with delivering(journal):
            wait_for(lambda: states(journal, question) == ["given up"])
        num_attempts = len(receiver.received)
        with delivering(journal):
            assert journal.deliveries.next_time() is None
        assert len(receiver.received) == num_attempts
    assert journal.deliveries.last_problem(question.id) == "the webhook returned 500"


def problem_of(journal: Journal, url: str, sender: Sender) -> str:
    """What one attempt comes to."""
    make_alerts(journal, url)
    delivery = journal.deliveries.next_due(time.time() + 1)
    assert delivery is not None
    with pytest.raises(DeliveryError) as caught:
        sender.send(delivery)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_redirects_are_not_followed(journal: Journal) -> None:
    with receiving(302, headers={"Location": "/elsewhere"}) as receiver:
        problem = problem_of(journal, receiver.url, Sender(ANYWHERE))
    assert problem == "the webhook returned 302; redirects are not followed"
    assert [one.path for one in receiver.received] == ["/hook"]


def test_what_its_name_leads_to_is_judged_at_each_attempt_and_connected_to(journal: Journal) -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]]
    resolved: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        del port
        resolved.append(host)
        return answers.pop(0)

    guard = Guard(resolver=resolve)
    guard.resolve("hooks.example", 80)  # as it was when the question was added
    with receiving() as receiver:
        url = f"http://hooks.example:{receiver.port}/x?token=hunter2"
        problem = problem_of(journal, url, Sender(guard))
        assert "127.0.0.1" in problem
        assert "--allow-private" in problem
        assert receiver.received == []
        delivery = journal.deliveries.next_due(time.time() + 1)
        assert delivery is not None
        Sender(replace(guard, allow_private=True)).send(delivery)
        assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"
        assert receiver.received[0].path == "/x?token=hunter2"
        with pytest.raises(DeliveryError, match=r"10\.0\.0\.1"):
            Sender(guard).send(delivery)
        assert len(receiver.received) == 1
    assert resolved == ["hooks.example"] * 4


@contextmanager
def answering(answer: bytes, *, again: bool = False) -> Iterator[str]:
    """A server that says something to whoever connects, for ever where it is said again; its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def work() -> None:
            connection, _ = listening.accept()
            with closing(connection):
                connection.settimeout(PATIENCE_SECONDS)
                try:
                    connection.sendall(answer)
                    while again:
                        connection.sendall(b"x" * 1000)
                    while connection.recv(1 << 16):
                        pass
                except OSError:
                    pass

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"http://u:hunter2@127.0.0.1:{listening.getsockname()[1]}/"
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("answer", "again", "expected"),
    [
        (b"", False, "timed out"),
        (b"HTTP/1.1 200 OK\r\n", False, "timed out"),
        (b"HTTP/1.1 200 OK\r\nX: ", True, "could not reach the webhook"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", False, "not an HTTP server"),
    ],
)
def test_odd_receivers(journal: Journal, answer: bytes, again: bool, expected: str) -> None:
    hasty, patient = Timeouts(read_seconds=0.3, head_seconds=0.5), Timeouts(read_seconds=60, head_seconds=60)
    with answering(answer, again=again) as url:
        timeouts = hasty if expected == "timed out" else patient
        assert expected in problem_of(journal, url, Sender(ANYWHERE, timeouts))


def test_a_webhook_by_https_is_not_sent_in_the_clear(journal: Journal) -> None:
    with receiving() as receiver:
        problem = problem_of(journal, receiver.url.replace("http:", "https:"), Sender(ANYWHERE))
        assert receiver.received == []
    assert problem.startswith("could not reach the webhook: ")


def test_what_is_answered_beside_the_status_is_not_waited_for(journal: Journal) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", again=True) as url:
        make_alerts(journal, url)
        delivery = journal.deliveries.next_due(time.time() + 1)
        assert delivery is not None
        Sender(ANYWHERE).send(delivery)


@pytest.fixture(scope="module")
def public_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("public")
    with serve(ServerSettings(folder / "journal.db", roots=(folder,), port=0), YesModel()) as running:
        yield running


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://user:hunter2@[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.0.0.1/hunter2",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "rtsp://user:hunter2@93.184.216.34/hunter2",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "//hooks.example/",
        "hooks.example",
        "http://",
        "http://hooks.example:x/",
        "http://hooks.example/a b",
        "https://hooks.example\\@10.0.0.1/",
    ],
)
def test_where_webhooks_may_not_lead(public_only: Served, url: str) -> None:
    reply = public_only.client("POST", PATH, {"question": "q", "webhook_url": url})
    assert reply.status == 403
    assert "hunter2" not in reply.message
    assert public_only.client("GET", PATH).data == []
    assert public_only.client("POST", PATH, {"question": "q", "webhook_url": "x" * 2049}).status == 422


def test_a_secret_is_shown_once_and_logged_never(
    server_settings: ServerSettings, make_video: MakeVideo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = replace(server_settings, allow_private=True)
    with receiving(500) as receiver, serve(settings, YesModel()) as served:
        client: Client = served.client
        url = f"http://anna:hunter2@127.0.0.1:{receiver.port}/T0/swordfish?key=swordfish"
        question = {"question": "Is there a?", "webhook_url": url}  # each caption has one
        added: Any = client("POST", PATH, question).data
        secret = added["webhook_secret"]
        assert len(secret) > 64
        assert added["webhook"] == f"http://127.0.0.1:{receiver.port}"
        stream_id = client.begin(make_video(20))
        client.wait_for_state(stream_id, "complete")
        wait_for(lambda: client("GET", f"{PATH}/{added['id']}").data["num_checked"] == 10)
        events = list(client.events("/v1/events?follow=false&after=0"))
        alerts = [event.data for event in events if event.name == "alert"]
        assert alerts
        received = receiver.wait_for(lambda came: {one.data["id"] for one in came} == {one["id"] for one in alerts})
        assert all(one.is_signed_with(secret) for one in received)
        assert next(one.data for one in received if one.data["id"] == alerts[0]["id"]) == alerts[0]
        expected = "Basic " + base64.b64encode(b"anna:hunter2").decode()
        assert {one.headers["authorization"] for one in received} == {expected}
        assert {one.path for one in received} == {"/T0/swordfish?key=swordfish"}
        shown = b"".join(
            client("GET", path).content
            for path in (
                PATH,
                f"{PATH}/{added['id']}",
                f"{PATH}/{added['id']}/alerts",
                f"/v1/streams/{stream_id}/export",
                f"/v1/streams/{stream_id}/events?follow=false",
                "/v1/events?follow=false&after=0",
            )
        ).decode()
    for hidden in (secret, "hunter2", "swordfish"):
        assert hidden not in shown
        assert hidden not in caplog.text
    assert added["id"] in shown


def test_the_next_server_sends_what_was_not_taken(server_settings: ServerSettings) -> None:
    settings = replace(server_settings, allow_private=True)
    with Journal.create(settings.journal) as journal, receiving(503) as receiver:
        with serve(settings, YesModel()) as served:
            body = {"question": "Tell me when a dog comes in", "webhook_url": receiver.url}
            added = served.client("POST", PATH, body).data
            add_clips(journal, journal.streams.begin("s", "tiny", "{}").id, [True])
            served.service.signals.any.notify()
            receiver.wait_for(lambda came: len(came) == 1)
        with serve(settings, YesModel()) as served:
            receiver.wait_for(lambda came: len(came) == 2)
            path = f"{PATH}/{added['id']}/alerts"
            wait_for(lambda: served.client("GET", path).data["alerts"][0]["delivery"] == "delivered")
    assert len({(one.delivery_id, one.body) for one in receiver.received}) == 1
    assert all(one.is_signed_with(added["webhook_secret"]) for one in receiver.received)


CHECK_AND_SEND = textwrap.dedent(
    """
    import sys, time
    from keepsight.journal import Journal
    from keepsight.hub.signals import Signal
    from keepsight.hub.standing.checker import Checker
    from keepsight.hub.standing.delivering import Deliverer
    from keepsight.hub.standing.judging import Judge
    from keepsight.hub.standing.sending import Sender
    from keepsight.sources.backoff import Backoff
    from keepsight.sources.network.guard import Guard

    with Journal.open(sys.argv[1]) as journal:
        deliverer = Deliverer(journal, Sender(Guard(allow_private=True)), Backoff(0.02, 0.1))
        checker = Checker(journal, Judge(None, journal), Signal(), lambda _: deliverer.look())
        deliverer.start()
        checker.start()
        while journal.standing.due() or journal.deliveries.next_time():
            time.sleep(0.01)
        checker.stop()
        deliverer.stop()
    """
)


def test_kills_lose_no_alert_and_repeat_none_under_another_id(journal: Journal) -> None:
    draw = random.Random(6)
    truths = [draw.random() < 0.5 for _ in range(120)]
    rises = [place for place, is_so in enumerate(truths) if is_so and not (place and truths[place - 1])]
    with receiving(*[204, 500, 0] * 10) as receiver:
        webhook = Webhook(receiver.url, SECRET)
        question = journal.standing.add("tell me when a dog comes in", method=CheckMethod.WORDS, webhook=webhook)
        add_clips(journal, journal.streams.begin("s", "tiny", "{}").id, truths)
        command = [sys.executable, "-c", CHECK_AND_SEND, str(journal.path)]
        for num_wanted in (3, 12):
            with subprocess.Popen(command) as process:
                receiver.wait_for(lambda came, wanted=num_wanted: len(came) >= wanted)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
        assert subprocess.run(command, timeout=10 * DEADLINE_SECONDS, check=False).returncode == 0
    alerts = journal.alerts.of(question.id, limit=1000)
    assert [alert.clip_index for alert in reversed(alerts)] == rises
    assert {alert.delivery for alert in alerts} == {"delivered"}
    assert {one.data["id"] for one in receiver.received} == {alert.id for alert in alerts}
    assert len({(one.data["id"], one.delivery_id) for one in receiver.received}) == len(alerts)
