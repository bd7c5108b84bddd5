"""The video itself on the page: playing moves the page, and the page moves the video."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from keepsight.server.settings import ServerSettings
from tests.patience import wait_for
from tests.server.open_files import num_open
from tests.server.paged import captions, visit, wait_until
from tests.server.served import Client, ServedModel, serve
from tests.small_videos import MakeVideo


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
        page.get_by_role("button", name="Next clip").click()
        wait_until(page, lambda: 2 <= now(page) < 4)
        frames = page.get_by_role("group", name="Frames of this clip").get_by_role("button")
        frames.last.click()
        wait_until(page, lambda: 3 <= now(page) < 4)


def test_playing_goes_from_clip_to_clip(browser: Browser, toy: tuple[Client, str]) -> None:
    client, stream_id = toy
    with visit(browser, client, f"#/streams/{stream_id}") as page:
        wait_until(page, lambda: page.locator("video").count() == 1 and 0 <= now(page) < 2)
        # It plays on while this looks, and must not come to its end on a busy machine.
        page.locator("video").evaluate("(video) => { video.playbackRate = 4; video.loop = true; }")
        page.get_by_role("button", name="Play the video").click()
        expect(page.get_by_role("button", name="Pause the video")).to_be_focused()
        expect(page.locator(".stage .time")).not_to_have_text("00:00 – 00:02")
        expect(page.locator("canvas.mask")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Play the video")).to_be_visible()
        wait_until(page, lambda: now(page) >= 0)
        index = int(now(page) // 2)
        expect(page.locator(".stage .time")).to_have_text(f"00:{2 * index:02} – 00:{2 * index + 2:02}")
        expect(page.locator(".stage .caption")).to_have_text(captions(client, stream_id)[index])
        assert page.locator("video").evaluate("(video) => video.paused")
        page.get_by_role("button", name="Sound on").click()
        expect(page.get_by_role("button", name="Sound off")).to_be_visible()
        assert not page.locator("video").evaluate("(video) => video.muted")


@pytest.mark.slow
def test_a_paused_video_goes_on_after_it_was_cut_off(
    browser: Browser, server_settings: ServerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepsight.server.http.running.NOT_READING_SECONDS", 0.5)
    monkeypatch.setattr("keepsight.server.http.running.LOOK_SECONDS", 0.2)
    video = tmp_path / "noise.mp4"  # more than Chromium reads ahead
    noise = "nullsrc=s=640x360:r=25:d=24,geq=random(1)*255:128:128"
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", noise, *coded, str(video)], check=True)
    assert video.stat().st_size > 60 << 20
    with serve(replace(server_settings, roots=(tmp_path,)), ServedModel()) as served:
        stream_id = served.client.begin(video)
        served.client.wait_for_state(stream_id, "complete")
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            wait_until(page, lambda: page.locator("video").count() == 1)
            page.locator("video").evaluate("(video) => { video.muted = true; return video.play(); }")
            wait_until(page, lambda: now(page) > 0.5)
            page.locator("video").evaluate("(video) => video.pause()")
            wait_for(lambda: num_open(video) == 0, "nobody reads the video any more")
            page.locator("video").evaluate("(video) => { video.playbackRate = 4; return video.play(); }")
            wait_for_page = "(video) => video.ended && !video.error"
            wait_until(page, lambda: page.locator("video").evaluate(wait_for_page))


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


def test_a_video_that_was_replaced_is_not_shown_under_old_captions(
    browser: Browser, toy: tuple[Client, str], tmp_path: Path, make_video: MakeVideo
) -> None:
    client, stream_id = toy
    path = Path(client("GET", f"/v1/streams/{stream_id}").data["source"])
    with visit(browser, client, f"#/streams/{stream_id}") as page:
        wait_until(page, lambda: page.locator("video").count() == 1 and 0 <= now(page) < 2)
    path.write_bytes(make_video(6).read_bytes())
    with visit(browser, client, f"#/streams/{stream_id}") as page:
        expect(page.locator(".no-video")).to_have_text(
            "The file was replaced after it was watched; watch it again to play it."
        )
        expect(page.locator("video")).to_have_count(0)
        expect(page.locator(".stage .caption")).to_have_text(captions(client, stream_id)[0])
