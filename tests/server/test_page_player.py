"""The video itself on the page: playing moves the page, and the page moves the video."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paged import captions, visit, wait_until
from playwright.sync_api import Browser, Page, expect
from served import Client, ServedModel, serve

from keepsight.server.settings import ServerSettings


@pytest.fixture
def toy(server_settings: ServerSettings, tmp_path: Path) -> Iterator[tuple[Client, str]]:
    """A stream of six clips that a browser can play, and of which there are pictures."""
    with serve(replace(server_settings, roots=(tmp_path,)), ServedModel()) as served:
        stream_id = served.client("POST", "/v1/toy", {"minutes": 0.2, "seed": 1}).data["id"]
        served.client.wait_for_state(stream_id, "complete")
        yield served.client, stream_id


def now(page: Page) -> float:
    """Where the video is, in seconds."""
    return float(page.locator("video").evaluate("(video) => video.seeking ? -1 : video.currentTime"))


def test_choosing_a_clip_seeks_the_video(browser: Browser, toy: tuple[Client, str]) -> None:
    client, stream_id = toy
    with visit(browser, client, f"#/streams/{stream_id}/clips/3") as page:
        wait_until(page, lambda: page.locator("video").count() == 1 and 6 <= now(page) < 8)
        page.get_by_role("slider", name="Clip").press("Home")
        wait_until(page, lambda: 0 <= now(page) < 2)
        page.get_by_role("button", name="Clip after").click()
        wait_until(page, lambda: 2 <= now(page) < 4)
        frames = page.get_by_role("group", name="Frames of this clip").get_by_role("button")
        frames.last.click()
        wait_until(page, lambda: 3 <= now(page) < 4)


def test_playing_goes_from_clip_to_clip(browser: Browser, toy: tuple[Client, str]) -> None:
    client, stream_id = toy
    with visit(browser, client, f"#/streams/{stream_id}") as page:
        wait_until(page, lambda: page.locator("video").count() == 1 and 0 <= now(page) < 2)
        page.locator("video").evaluate("(video) => { video.playbackRate = 4; }")
        page.get_by_role("button", name="Play the video").click()
        expect(page.get_by_role("button", name="Pause the video")).to_be_focused()
        expect(page.locator(".stage .time")).to_have_text("00:04 – 00:06")
        expect(page.locator(".stage .caption")).to_have_text(captions(client, stream_id)[2])
        expect(page.locator("canvas.mask")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Play the video")).to_be_visible()
        assert page.locator("video").evaluate("(video) => video.paused")
        page.get_by_role("button", name="Sound on").click()
        expect(page.get_by_role("button", name="Sound off")).to_be_visible()
        assert not page.locator("video").evaluate("(video) => video.muted")


def test_the_overlay_fills_the_screen_with_the_video(browser: Browser, toy: tuple[Client, str]) -> None:
    client, stream_id = toy
    with visit(browser, client, f"#/streams/{stream_id}") as page:
        page.get_by_role("button", name="Full screen").click()
        expect(page.locator(".screen")).to_have_js_property("clientWidth", page.evaluate("innerWidth"))
        boxes = [page.locator(what).bounding_box() for what in ("video", "canvas.mask")]
        assert boxes[0] is not None
        assert boxes[1] is not None
        for side in ("x", "y", "width", "height"):
            assert boxes[0][side] == pytest.approx(boxes[1][side], abs=2)
