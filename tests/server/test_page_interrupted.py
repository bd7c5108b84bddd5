"""What breaks between the page and the server, and that the page goes on."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Browser, Request, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import SteppedModel, captions, moments, visit, wait_until
from tests.server.served import Client, ServedModel, serve
from tests.small_videos import MakeVideo

LOST = "The server does not respond."


def test_reload_and_two_viewers_in_the_middle(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel()
    with serve(server_settings, model) as served:
        stream_id = served.client.begin(make_video(20))
        place = f"#/streams/{stream_id}"
        with visit(browser, served.client, place) as page, visit(browser, served.client, place) as other:
            model.let(3)
            for viewer in (page, other):
                expect(viewer.get_by_role("option")).to_have_count(3)
            page.reload()
            expect(page.get_by_role("option")).to_have_count(3)
            model.let(7)
            for viewer in (page, other):
                expect(viewer.locator(".state")).to_have_text("Complete")
                wait_until(viewer, lambda: sorted(moments(page)) == sorted(captions(served.client, stream_id)))
            assert moments(page) == moments(other) == captions(served.client, stream_id)


def test_the_server_is_restarted_in_the_middle(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel()
    with serve(server_settings, model) as served:
        client = served.client
        stream_id = client.begin(make_video(20))
        model.let(3)
        browsing = visit(browser, client, f"#/streams/{stream_id}")
        page = browsing.__enter__()
        expect(page.get_by_role("option")).to_have_count(3)
        model.gate.clear()  # the clip in work is finished
    try:
        expect(page.get_by_text(LOST)).to_be_visible()
        with serve(replace(server_settings, port=client.port), ServedModel()) as served:
            served.service.resume_active()
            wait_until(page, lambda: moments(page) == captions(served.client, stream_id) and len(moments(page)) == 10)
            expect(page.get_by_text(LOST)).to_be_hidden()
            expect(page.locator(".state")).to_have_text("Complete")
    finally:
        browsing.__exit__(None, None, None)


def test_offline_in_the_middle(browser: Browser, server_settings: ServerSettings, make_video: MakeVideo) -> None:
    model = SteppedModel()
    with serve(server_settings, model) as served:
        stream_id = served.client.begin(make_video(20))
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            model.let(3)
            expect(page.get_by_role("option")).to_have_count(3)
            page.context.set_offline(True)
            page.get_by_role("listbox", name="Clips").press("Home")  # what is here can be looked at
            expect(page.locator(".stage .caption")).to_have_text(captions(served.client, stream_id)[0])
            for text in (LOST, "I was given 10 lines [99:00-99:32]."):
                page.get_by_label("Ask about this video").fill("Where is the dog?")
                page.keyboard.press("Enter")
                expect(page.locator(".answer").first).to_contain_text(text)
                model.let(7)
                served.client.wait_for_state(stream_id, "complete")
                page.context.set_offline(False)
            page.get_by_role("tab", name="Moments").click()
            wait_until(page, lambda: len(moments(page)) == 10)
            assert moments(page) == captions(served.client, stream_id)


@dataclass
class Relay:
    """A port that passes everything on to a server, until connections through it go silent without being closed."""

    to_port: int
    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    is_silent: bool = False
    connections: list[socket.socket] = field(default_factory=list)
    silent_requests: list[bytes] = field(default_factory=list)
    accepting: threading.Thread = field(init=False)

    def __enter__(self) -> "Relay":
        self.accepting = threading.Thread(target=self._accept)
        self.accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)  # what closes it alone leaves `accept` waiting
        self.accepting.join()
        self.listening.close()
        self.cut()

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def cut(self) -> None:
        """Close all connections, so that both ends see it."""
        while self.connections:
            connection = self.connections.pop()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self.listening.accept()
                server = socket.create_connection(("127.0.0.1", self.to_port))
                self.connections += [browser, server]
                for giver, taker in ((browser, server), (server, browser)):
                    threading.Thread(target=self._pass_on, args=(giver, taker), daemon=True).start()

    def _pass_on(self, giver: socket.socket, taker: socket.socket) -> None:
        """What has lost something stays silent."""
        was_silent = False
        with suppress(OSError):
            while data := giver.recv(1 << 16):
                was_silent = was_silent or self.is_silent
                if was_silent:
                    self.silent_requests.append(data)
                else:
                    taker.sendall(data)
            if not was_silent:
                taker.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("lost", ["silent", "cut", "cut and slow"])
def test_connections_that_go_silent_are_replaced(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo, lost: str
) -> None:
    """As where a machine lost its power or a network changed: nobody says that the connection is dead.

    Where they are cut first, it is the connections by which the browser comes back that nobody answers. Where the
    browser is slow to come back, the page gives it up and asks for the stream first.
    """
    model = SteppedModel()
    with serve(server_settings, model) as served, Relay(served.client.port) as relay:
        stream_id = served.client.begin(make_video(20))
        asked_again = tuple(f"GET /v1/streams/{stream_id}{what}".encode() for what in ("/events", " "))
        model.let(3)
        with visit(browser, Client(relay.port), f"#/streams/{stream_id}") as page:
            page.clock.install()
            unanswered: set[Request] = set()
            page.on("request", lambda asked: unanswered.update([] if "/events" in asked.url else [asked]))
            # Playwright marks handlers, which a method of a set does not take.
            page.on("requestfinished", lambda asked: unanswered.discard(asked))
            page.on("requestfailed", lambda asked: unanswered.discard(asked))
            page.reload()
            expect(page.get_by_role("option")).to_have_count(3)
            wait_until(page, lambda: not unanswered)  # a browser opens six connections to a server, dead or not
            relay.is_silent = True
            if lost != "silent":
                relay.cut()
            if lost == "cut and slow":
                expect(page.get_by_text("Reconnecting")).to_be_visible()
                page.clock.fast_forward(11_000)
            if lost != "silent":
                wait_until(page, lambda: any(data.startswith(asked_again) for data in relay.silent_requests))
            model.let(7)
            served.client.wait_for_state(stream_id, "complete")
            relay.is_silent = False
            page.clock.fast_forward(61_000)
            expect(page.locator(".state")).to_have_text("Complete")
            wait_until(page, lambda: moments(page) == captions(served.client, stream_id))
