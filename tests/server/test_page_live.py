"""A live stream on the page: what it sees now, before there is a caption, and times by the clock on the wall."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, expect

from keepsight.journal import EndReason, Journal
from keepsight.server.settings import ServerSettings
from keepsight.sources.messages import write_frame
from keepsight.spans import Span
from keepsight.video import Frame
from tests.server.paged import SteppedModel, visit, wait_until
from tests.server.served import QUICK, Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}


class Camera:
    """Pushes pictures of one colour, half a second from one to the next."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.stream_id = str(client("POST", "/v1/streams", {"source": "push:door"}).data["id"])
        self._number = 0

    def show(self, colour: str, count: int) -> None:
        body = BytesIO()
        for _ in range(count):
            write_frame(body, Frame(np.full((48, 64, 3), COLOURS[colour], np.uint8), self._number / 2))
            self._number += 1
        kind = {"Content-Type": "application/octet-stream"}
        assert self._client("POST", f"/v1/streams/{self.stream_id}/frames", body.getvalue(), kind).status == 200


@contextmanager
def watched(settings: ServerSettings) -> Iterator[tuple[Served, SteppedModel, Camera]]:
    model = SteppedModel()
    with serve(settings, model) as served:
        try:
            yield served, model, Camera(served.client)
        finally:
            model.let(99)


def looks(page: Page, canvas: str) -> str:
    """Which colour the middle of a canvas has."""
    pixel = page.evaluate(
        "(name) => { const c = document.querySelector(name);"
        " if (!c) return [0, 0, 0];"
        " return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data].slice(0, 3); }",
        canvas,
    )
    return next((name for name, colour in COLOURS.items() if np.abs(np.subtract(pixel, colour)).max() < 12), "other")


def test_what_a_camera_sees_is_shown_before_there_is_a_caption(
    browser: Browser, server_settings: ServerSettings
) -> None:
    with watched(server_settings) as (served, model, camera):
        with visit(browser, served.client, f"#/streams/{camera.stream_id}") as page:
            expect(page.get_by_text("Waiting for the first clip")).to_be_visible()
            camera.show("red", 3)  # the last of them is on screen until the next comes
            expect(page.locator(".stage .now")).to_have_text("Now2 of 4 frames for the first caption")
            wait_until(page, lambda: looks(page, ".stage .base") == "red")
            expect(page.locator(".stage .mask")).to_have_count(0)
            camera.show("red", 2)
            model.let(1)
            expect(page.locator(".stage .caption")).to_be_visible()
            camera.show("blue", 3)
            wait_until(page, lambda: looks(page, ".stage .base") == "blue")
            expect(page.locator(".stage .now")).to_contain_text("for the next caption")
            # An earlier clip is shown as it was, with what was kept of it.
            page.get_by_role("option").first.click()
            expect(page.locator(".stage .now")).to_have_count(0)
            expect(page.locator(".stage .mask")).to_be_visible()
            wait_until(page, lambda: looks(page, ".stage .base") == "red")
            page.get_by_role("button", name="Go to newest").click()
            wait_until(page, lambda: looks(page, ".stage .base") == "blue")

        with visit(browser, served.client) as page:
            wait_until(page, lambda: looks(page, ".stream-card canvas") == "blue")
            camera.show("red", 3)
            wait_until(page, lambda: looks(page, ".stream-card canvas") == "red")


def test_times_of_a_live_stream_are_those_of_the_clock_on_the_wall(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    """Of a day that is over with its date; those of a file count from its start."""
    began = datetime.now().astimezone().replace(microsecond=0) - timedelta(days=3)
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(6))
        served.client.wait_for_state(stream_id, "complete")
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            expect(page.locator(".moments .row .time")).to_have_text(["00:00", "00:02", "00:04"])
    with Journal.open(server_settings.journal) as journal:
        file = journal.streams.get(stream_id)
        live = journal.streams.begin("rtsp://192.0.2.1/main", "fake", QUICK.to_json(), is_live=True, started_at=began)
        for clip in journal.clips.of(file.id):
            journal.clips.add(type(clip)(**{**vars(clip), "stream_id": live.id}))
        journal.streams.end(live.id, EndReason.INTERRUPTED, 6.0, "paused")
    zone: dict[str, Any] = {"timezone_id": "Asia/Kolkata", "locale": "en-GB"}
    place = f"#/streams/{live.id}/clips/1"
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client, place, **zone) as page:
        expected = page.evaluate(
            "(began) => [0, 2, 4].map((seconds) => { const at = new Date(began + seconds * 1000);"
            " const two = (value) => String(value).padStart(2, '0');"
            " const month = at.toLocaleString('en-GB', { month: 'short' });"
            " return `${at.getDate()} ${month} ${two(at.getHours())}:${two(at.getMinutes())}"
            ":${two(at.getSeconds())}`; })",
            began.timestamp() * 1000,
        )
        expect(page.locator(".moments .row .time")).to_have_text(expected)
        expect(page.locator(".stage .time")).to_contain_text(f"{expected[1]} – ")
        expect(page.get_by_role("button", name=f"Frame at {expected[1]}")).to_have_count(2)


def test_times_of_the_hour_that_comes_twice_have_their_offset(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    """02:40 in summer time, an hour later 02:40 again; and a run whose wall clock was set an hour forward."""
    began = datetime(2026, 10, 25, 0, 40, tzinfo=UTC)
    with serve(server_settings, ServedModel()) as served:
        served.client.wait_for_state(served.client.begin(make_video(6)), "complete")
    with Journal.open(server_settings.journal) as journal:
        (file,) = journal.streams.all()
        live = journal.streams.begin("rtsp://192.0.2.1/main", "fake", QUICK.to_json(), is_live=True, started_at=began)
        for clip, start in zip(journal.clips.of(file.id), (0, 3600, 7200), strict=True):
            journal.clips.add(replace(clip, stream_id=live.id, span=Span(start, start + 2)))
        journal.streams.set_clock(live.id, 7000, began + timedelta(hours=1))
        journal.streams.end(live.id, EndReason.INTERRUPTED, 7202, "paused")
    berlin: dict[str, Any] = {"timezone_id": "Europe/Berlin", "locale": "en-GB"}
    with (
        serve(server_settings, ServedModel()) as served,
        visit(browser, served.client, f"#/streams/{live.id}", **berlin) as page,
    ):
        expect(page.locator(".moments .row .time")).to_have_text(
            ["25 Oct 02:40:00+02:00", "25 Oct 02:40:00+01:00", "25 Oct 04:40:00"]
        )
