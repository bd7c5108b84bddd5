"""The page in a real browser: drop, watch, ask, seek; what it may not do."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from keepsight.server.settings import ServerSettings
from keepsight.server.tokens import ScopedToken
from tests.server.paged import SteppedModel, captions, drop, moments, visit, wait_until
from tests.server.served import ServedModel, serve
from tests.small_videos import MakeVideo

HOSTILE = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>&amp; {} \u202e"
TOKEN = "a-token-of-a-good-length"


def test_drop_a_file_watch_ask_and_seek(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.get_by_text("Try a toy video")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("Watch a video. Ask it anything.")
        drop(page, make_video(10), "kitchen.mp4")
        expect(page.get_by_role("heading", level=1)).to_have_text("kitchen.mp4")
        expect(page.locator(".state")).to_have_text("Complete")
        (stream,) = served.client("GET", "/v1/streams").data
        wait_until(page, lambda: moments(page) == captions(served.client, stream["id"]))

        page.get_by_label("Ask about this video").fill("Where is the dog?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer .text")).to_have_text("I was given 5 lines [99:00-99:32].")
        page.locator(".answer summary").click()
        page.get_by_role("button", name="00:06", exact=True).click()
        expect(page.locator(".stage .time")).to_have_text("00:06 – 00:08")
        expect(page.locator(".stage .caption")).to_have_text(captions(served.client, stream["id"])[3])
        assert page.url.endswith(f"#/streams/{stream['id']}/clips/3")
        page.get_by_role("slider", name="Clip").press("Home")
        expect(page.locator(".stage .time")).to_have_text("00:00 – 00:02")

        number = captions(served.client, stream["id"])[4].split()[-1].rstrip(".")
        page.get_by_role("tab", name="Moments").click()
        page.get_by_label("Search the captions").fill(number)
        expect(page.locator(".filters [role=status]")).to_have_text("1 of 5 clips")
        page.get_by_role("option").click()
        expect(page.locator(".stage .time")).to_have_text("00:08 – 00:10")


def test_one_click_on_the_toy_video(browser: Browser, server_settings: ServerSettings, tmp_path: Path) -> None:
    def shorter(route: Route) -> None:
        route.continue_(post_data='{"minutes": 0.2, "seed": 1}')

    with (
        serve(replace(server_settings, roots=(tmp_path,)), ServedModel()) as served,
        visit(browser, served.client) as page,
    ):
        page.route("**/v1/toy", shorter)
        page.get_by_role("button", name="Try a toy video").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("toy-world-1-0.2min.mp4")
        expect(page.locator(".state")).to_have_text("Complete")


def test_what_was_kept_is_left_bright(browser: Browser, server_settings: ServerSettings, make_video: MakeVideo) -> None:
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(4))
        served.client.wait_for_state(stream_id, "complete")
        kept = served.client("GET", f"/v1/streams/{stream_id}/clips/1/kept").data
        frame = next(frame for frame in kept["frames"] if 0 < len(frame["cells"]) < 4)
        with visit(browser, served.client, f"#/streams/{stream_id}/clips/1") as page:
            page.locator(".filmstrip button").nth(frame["frame_index"]).click()
            expect(page.locator(".filmstrip [aria-pressed=true]")).to_have_count(1)
            alphas = """(mask) => {
                const pixels = mask.getContext("2d");
                const at = (row, column) => [mask.width * (2 * column + 1) / 4, mask.height * (2 * row + 1) / 4];
                return [[0, 0], [0, 1], [1, 0], [1, 1]].filter(
                    (cell) => pixels.getImageData(...at(...cell).map(Math.floor), 1, 1).data[3] === 0);
            }"""
            wait_until(page, lambda: page.locator("canvas.mask").evaluate(alphas) == sorted(frame["cells"]))
            expect(page.locator(".memory li:not(.free)")).to_have_count(2)
            page.get_by_label("Kept patches").uncheck()
            expect(page.locator("canvas.mask")).to_have_count(0)


def test_hostile_captions_are_only_text(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says=HOSTILE)
    model.let(9)
    with serve(server_settings, model) as served, visit(browser, served.client) as page:
        expect(page.locator(".add")).to_be_visible()
        drop(page, make_video(4), "<img src=x onerror=window.pwned=1>.mp4")
        expect(page.locator(".state")).to_have_text("Complete")
        expect(page.locator(".stage .caption")).to_have_text(HOSTILE)
        expect(page.get_by_role("heading", level=1)).to_contain_text("onerror=")
        page.get_by_label("Ask about this video").fill("<b>Who</b> is it?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer .question")).to_have_text("<b>Who</b> is it?")
        page.get_by_label("Keepsight, all streams").click()
        expect(page.locator(".stream-card .last")).to_have_text(HOSTILE)
        assert page.evaluate("window.pwned") is None
        assert page.locator("main script, main img, main b b").count() == 0


def test_a_token_is_asked_for(browser: Browser, server_settings: ServerSettings) -> None:
    with (
        serve(replace(server_settings, token=TOKEN), ServedModel()) as served,
        visit(browser, served.client) as page,
    ):
        box = page.get_by_label("Token")
        box.fill("not-the-right-token-at-all")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        box.fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Try a toy video")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        page.reload()
        expect(page.get_by_text("Try a toy video")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        page.reload()
        expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("scope", ["read", "ask", "manage"])
def test_what_a_token_is_not_good_for_is_not_offered(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo, scope: str
) -> None:
    scoped = f"{scope}-token-of-a-good-length"
    settings = replace(server_settings, token=TOKEN, tokens=(ScopedToken.parse(f"{scope}:{scoped}"),))
    with serve(settings, ServedModel()) as served:
        client, may_manage, may_ask = served.client, int(scope == "manage"), int(scope != "read")
        stream_id = client.begin(make_video(4))
        client.wait_for_state(stream_id, "complete")
        client("POST", "/v1/standing-questions", {"question": "Is there a dog?", "method": "words"})
        with visit(browser, client) as page:
            page.get_by_label("Token").fill(scoped)
            page.get_by_role("button", name="Sign in").click()
            expect(page.locator(".stream-card")).to_have_count(1)
            expect(page.get_by_text("Try a toy video")).to_have_count(may_manage)
            page.locator(".stream-card").click()
            expect(page.get_by_role("option")).to_have_count(2)
            for name in ("Remove", "Pin"):
                expect(page.get_by_role("button", name=name, exact=True)).to_have_count(may_manage)
            expect(page.get_by_label("Ask about this video")).to_have_count(may_ask)
            page.get_by_role("tab", name="Tell me when").click()
            expect(page.get_by_label("Standing questions").get_by_text("Is there a dog?")).to_be_visible()
            expect(page.get_by_role("button", name="Delete: ")).to_have_count(may_manage)
            expect(page.get_by_label("Check every new caption")).to_have_count(may_manage)


def test_phone_width_and_names_for_all_controls(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    unnamed = """() => [...document.querySelectorAll("button, a, input, [role=slider], [role=listbox], summary")]
        .filter((one) => one.checkVisibility())
        .filter((one) => !(one.ariaLabel || one.innerText.trim() || one.labels?.length || one.ariaLabelledByElements))
        .map((one) => one.outerHTML)"""
    is_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(10))
        served.client.wait_for_state(stream_id, "complete")
        with visit(browser, served.client, f"#/streams/{stream_id}", width=360) as page:
            expect(page.get_by_role("option").first).to_be_attached()
            assert not page.evaluate(is_wide)
            assert page.evaluate(unnamed) == []
            page.get_by_role("tab", name="Tell me when").click()
            page.get_by_label("Check every new caption").fill("Is there a dog?")
            page.get_by_role("button", name="Add").click()
            expect(page.get_by_role("button", name="Delete: Is there a dog?")).to_be_visible()
            page.get_by_label("All streams", exact=True).click()
            expect(page.locator(".stream-card")).to_be_visible()
            assert not page.evaluate(is_wide)
            assert page.evaluate(unnamed) == []
