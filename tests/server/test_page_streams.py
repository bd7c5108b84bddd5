"""What can be done with a stream on the page: pause, go on, export, remove."""

import json
from pathlib import Path

from playwright.sync_api import Browser, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import SteppedModel, captions, moments, visit, wait_until
from tests.server.served import ServedModel, serve
from tests.small_videos import MakeVideo


def test_pause_and_resume(browser: Browser, server_settings: ServerSettings, make_video: MakeVideo) -> None:
    model = SteppedModel()
    with serve(server_settings, model) as served:
        client = served.client
        stream_id = client.begin(make_video(20))
        with visit(browser, client, f"#/streams/{stream_id}") as page:
            model.let(3)
            expect(page.get_by_role("option")).to_have_count(3)
            expect(page.locator(".following")).to_be_visible()
            page.get_by_role("button", name="Pause", exact=True).click()
            run = served.service.runs.of(stream_id)
            assert run is not None
            wait_until(page, lambda: run.is_ending)  # else a busy server would begin one clip more
            model.let(1)  # the clip in work may be finished
            expect(page.locator(".state")).to_have_text("Paused")
            so_far = captions(client, stream_id)
            wait_until(page, lambda: moments(page) == so_far)
            expect(page.locator(".stage .caption")).to_have_text(so_far[-1])  # one stays where it stopped
            page.get_by_label("Keepsight, all streams").click()
            expect(page.locator(".stream-card .state")).to_have_text("Paused")
            page.locator(".stream-card").click()
            page.get_by_role("button", name="Resume").click()
            model.let(9)
            expect(page.locator(".state")).to_have_text("Complete")
            wait_until(page, lambda: len(moments(page)) == 10 and moments(page) == captions(client, stream_id))
            assert moments(page)[: len(so_far)] == so_far
            expect(page.get_by_role("button", name="Resume")).to_be_hidden()


def test_remove_asks_once_more_and_tells_other_viewers(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served:
        client = served.client
        stream_id = client.begin(make_video(4))
        client.wait_for_state(stream_id, "complete")
        place = f"#/streams/{stream_id}"
        with visit(browser, client, place) as page, visit(browser, client, place) as other:
            expect(other.get_by_role("option")).to_have_count(2)
            for way_back in ("Enter", "Escape"):
                page.get_by_role("button", name="Remove").click()
                expect(page.get_by_role("button", name="Keep", exact=True)).to_be_focused()
                page.keyboard.press(way_back)
                expect(page.get_by_role("button", name="Keep", exact=True)).to_be_hidden()
            assert client("GET", f"/v1/streams/{stream_id}").status == 200
            page.get_by_role("button", name="Remove").click()
            page.get_by_role("button", name="Remove all").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Watch a video. Ask it anything.")
            expect(other.get_by_role("heading", level=1)).to_have_text("Stream not found")
            assert client("GET", f"/v1/streams/{stream_id}").status == 404
            page.go_back()
            expect(page.get_by_role("heading", level=1)).to_have_text("Stream not found")


def test_export_has_what_the_page_shows(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(10))
        served.client.wait_for_state(stream_id, "complete")
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            expect(page.get_by_role("option")).to_have_count(5)
            page.get_by_text("Export").click()
            with page.expect_download() as coming:
                page.get_by_role("link", name="All data (JSON)").click()
            told = json.loads(coming.value.path().read_text(encoding="utf-8"))
            assert [clip["caption"] for clip in told["clips"]] == moments(page)
            expect(page.get_by_role("link", name="Captions (WebVTT)")).to_be_hidden()
            page.get_by_text("Export").click()
            page.keyboard.press("Escape")
            expect(page.get_by_role("link", name="Captions (WebVTT)")).to_be_hidden()
            with page.expect_download() as coming:
                page.get_by_text("Export").click()
                page.get_by_role("link", name="Captions (WebVTT)").click()
            assert coming.value.path().read_text(encoding="utf-8").startswith("WEBVTT\n")
            with page.expect_download() as coming:
                page.get_by_text("Export").click()
                page.get_by_role("link", name="Report (standalone HTML)").click()
            assert coming.value.suggested_filename == f"keepsight-{stream_id}.html"
            report = coming.value.path().read_text(encoding="utf-8")
            assert all(f'<p class="caption">{caption}</p>' in report for caption in moments(page))


def test_what_may_not_be_watched_is_said_in_one_line(
    browser: Browser, server_settings: ServerSettings, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 4000)
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        source = page.get_by_label("Camera or path")
        for refused in ("/etc/passwd", str(tmp_path / "broken.mp4"), "rtsp://127.0.0.1/", "gopher://example"):
            source.fill(refused)
            source.press("Enter")
            alert = page.locator(".add").get_by_role("alert")
            expect(alert).to_be_visible()
            assert "\n" not in alert.inner_text()
            expect(source).to_have_value(refused)
            source.fill("")
            expect(alert).to_be_hidden()
        assert served.client("GET", "/v1/streams").data == []


def test_a_clip_is_pinned_and_let_go_again(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served:
        client, stream_id = served.client, served.client.begin(make_video(10))
        client.wait_for_state(stream_id, "complete")
        with visit(browser, client, f"#/streams/{stream_id}/clips/3") as page:
            pin = page.get_by_role("button", name="Pin", exact=True)
            expect(pin).to_have_attribute("aria-pressed", "false")
            expect(page.get_by_role("button", name="Pinned")).to_have_count(0)
            pin.click()
            expect(pin).to_have_attribute("aria-pressed", "true")
            assert served.service.journal.clips.pinned(stream_id) == [3]
            page.get_by_role("button", name="Pinned").click()
            expect(page.get_by_role("option")).to_have_count(1)
            page.reload()
            expect(page.get_by_role("option").filter(has_text="pinned")).to_have_count(1)
            pin.click()
            expect(pin).to_have_attribute("aria-pressed", "false")
            assert served.service.journal.clips.pinned(stream_id) == []
            # What is refused is said where it was asked for.
            refusal = {"status": 507, "json": {"error": {"message": "the disk is full"}}}
            page.route("**/pin", lambda route: route.fulfill(**refusal))
            pin.click()
            expect(page.locator(".stage").get_by_role("alert")).to_have_text("The disk is full.")
            expect(pin).to_have_attribute("aria-pressed", "false")
