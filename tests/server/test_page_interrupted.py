"""What breaks between the page and the server, and that the page goes on."""

from dataclasses import replace

from paged import SteppedModel, captions, moments, visit, wait_until
from playwright.sync_api import Browser, expect
from served import ServedModel, serve

from keepsight.server.settings import ServerSettings

LOST = "The server does not answer."


def test_reload_and_two_viewers_in_the_middle(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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


def test_the_server_is_restarted_in_the_middle(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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
            served.service.go_on()
            wait_until(page, lambda: moments(page) == captions(served.client, stream_id) and len(moments(page)) == 10)
            expect(page.get_by_text(LOST)).to_be_hidden()
            expect(page.locator(".state")).to_have_text("Complete")
    finally:
        browsing.__exit__(None, None, None)


def test_offline_in_the_middle(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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
