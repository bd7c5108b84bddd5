"""What axe-core finds against WCAG 2.2 A and AA: nothing, in light and dark, wide and narrow."""

from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import SteppedModel, visit
from tests.server.served import ServedModel, serve
from tests.small_videos import MakeVideo

SLOW = pytest.mark.slow
LOOKS = [("light", 1300), pytest.param("dark", 1300, marks=SLOW), pytest.param("light", 360, marks=SLOW), ("dark", 360)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def found(page: Page) -> list[str]:
    """One line for each element that breaks a rule."""
    results = Axe().run(page, options=RULES).response
    assert len(results["passes"]) > 10  # it has looked
    return [
        f"{broken['id']}: {node['html'][:160]} {node['failureSummary']}"
        for broken in results["violations"]
        for node in broken["nodes"]
    ]


def test_it_finds_what_is_wrong(browser: Browser, server_settings: ServerSettings) -> None:
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.locator(".add")).to_be_visible()
        page.evaluate("document.querySelector('.hello p').style.color = '#bbb'")
        assert [line.split(":")[0] for line in found(page)] == ["color-contrast"]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_first_screen_and_token(browser: Browser, server_settings: ServerSettings, scheme: str, width: int) -> None:
    settings = replace(server_settings, token="a-token-of-a-good-length")
    with (
        serve(settings, ServedModel()) as served,
        visit(browser, served.client, width=width, color_scheme=scheme) as page,
    ):
        expect(page.get_by_role("heading", level=1)).to_have_text("This server requires a token")
        assert found(page) == []
        page.get_by_label("Token").fill(settings.token or "")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Try a toy video")).to_be_visible()
        page.get_by_label("Camera or path").fill("/etc/passwd")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        assert found(page) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_streams_and_one_stream(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo, scheme: str, width: int
) -> None:
    model = SteppedModel(says="a cat sleeps.")
    with serve(server_settings, model) as served:
        stream_id = served.client.begin(make_video(20))
        place = f"#/streams/{stream_id}"
        with visit(browser, served.client, place, width=width, color_scheme=scheme) as page:
            model.let(2)
            expect(page.get_by_role("option")).to_have_count(2)
            assert found(page) == []
            page.get_by_role("tab", name="Tell me when").click()
            page.get_by_label("Check every new caption").fill("Is there a dog?")
            page.get_by_label("Match words only, without the model").check()
            page.get_by_role("button", name="Add").click()
            expect(page.get_by_role("button", name="Delete: Is there a dog?")).to_be_visible()
            model.says = "a dog arrives."
            model.let(1)
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_contain_text("a dog arrives.")
            assert found(page) == []
            page.get_by_label("Ask about this video").fill("Where is the dog?")
            page.keyboard.press("Enter")
            expect(page.locator(".answer[aria-busy=false] summary")).to_be_visible()
            page.locator(".answer summary").click()
            page.get_by_text("Export").click()
            assert found(page) == []
            page.get_by_role("tab", name="Moments").click()
            page.get_by_label("Search the captions").fill("dog")
            page.get_by_role("button", name="Remove").click()
            assert found(page) == []
            page.get_by_label("All streams", exact=True).click()
            expect(page.locator(".stream-card .last")).to_have_text("a dog arrives.")
            assert found(page) == []
            model.let(9)
