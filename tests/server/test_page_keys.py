"""The page by keys alone."""

from playwright.sync_api import Browser, Locator, Page, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import captions, visit
from tests.server.served import Client, ServedModel, serve
from tests.small_videos import MakeVideo

MOST_STOPS = 60


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is where it is wanted, and can be seen there."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if wanted.evaluate("(one) => one === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    assert wanted.evaluate("(one) => one.matches(':focus-visible')")
    assert wanted.evaluate("(one) => getComputedStyle(one).outlineStyle !== 'none'")


def complete(client: Client, video: str) -> str:
    (stream,) = client("GET", "/v1/streams").data
    assert stream["source"] == video
    client.wait_for_state(stream["id"], "complete")
    return str(stream["id"])


def test_from_nothing_to_a_cited_moment(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    video = str(make_video(10))
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.get_by_text("Try a toy video")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_label("Camera or path"))
        page.keyboard.type(video)
        page.keyboard.press("Enter")
        expect(page.locator(".stage .caption")).to_be_visible()
        stream_id = complete(served.client, video)
        said = captions(served.client, stream_id)
        expect(page.locator(".state")).to_have_text("Complete")

        tab_to(page, page.get_by_role("slider", name="Clip"))
        for key, clip in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 4)):
            page.keyboard.press(key)
            expect(page.locator(".stage .caption")).to_have_text(said[clip])
            expect(page.get_by_role("slider", name="Clip")).to_have_attribute("aria-valuenow", str(clip + 1))
        tab_to(page, page.get_by_label("Ask about this video"))
        page.keyboard.type("Where is the dog?")
        page.keyboard.press("Enter")
        answer = page.locator(".answer")
        expect(answer).to_have_attribute("aria-busy", "false")
        tab_to(page, answer.locator("summary"))
        page.keyboard.press("Enter")
        tab_to(page, answer.get_by_role("button", name="00:06", exact=True))
        page.keyboard.press("Enter")
        expect(page.locator(".stage .caption")).to_have_text(said[3])


def test_among_the_moments_and_back(browser: Browser, server_settings: ServerSettings, make_video: MakeVideo) -> None:
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(10))
        served.client.wait_for_state(stream_id, "complete")
        said = captions(served.client, stream_id)
        with visit(browser, served.client) as page:
            card = page.locator(".stream-card")
            expect(card).to_be_visible()
            tab_to(page, card)
            page.keyboard.press("Enter")
            expect(page.get_by_role("option")).to_have_count(5)
            page.keyboard.press("ArrowRight")  # wherever no other control has the keys
            expect(page.locator(".stage .caption")).to_have_text(said[1])
            tab_to(page, page.get_by_role("tab", name="Moments"))
            page.keyboard.press("ArrowRight")
            expect(page.get_by_role("tab", name="Answers")).to_be_focused()
            expect(page.get_by_role("tabpanel", name="Answers")).to_be_visible()
            page.keyboard.press("ArrowLeft")
            tab_to(page, page.get_by_role("listbox", name="Clips"))
            page.keyboard.press("End")
            expect(page.locator(".stage .caption")).to_have_text(said[4])
            chosen = page.get_by_role("listbox", name="Clips").get_attribute("aria-activedescendant")
            expect(page.locator(f"#{chosen}")).to_contain_text(said[4])
            page.keyboard.press("/")
            page.keyboard.press("Home")
            expect(page.locator(".stage .caption")).to_have_text(said[0])
