"""Standing questions on the page: what is asked of every new caption, and that it is told at once."""

from playwright.sync_api import Browser, Page, Route, expect

from keepsight.server.settings import ServerSettings
from tests.patience import wait_for
from tests.server.paged import SteppedModel, visit
from tests.server.served import serve
from tests.small_videos import MakeVideo

QUESTION = "Is there a dog?"


def watch_for(page: Page, question: str, *, everywhere: bool = False) -> None:
    page.get_by_role("tab", name="Tell me when").click()
    page.get_by_label("Check every new caption").fill(question)
    page.get_by_label("Match words only, without the model").check()
    if everywhere:
        page.get_by_label("In all streams").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name=f"Delete: {question}")).to_be_visible()


def let_say(page: Page, model: SteppedModel, caption: str) -> None:
    """One more clip, with a caption."""
    model.says = caption
    model.let(1)
    expect(page.locator(".stage .caption")).to_have_text(caption)


def test_an_alert_is_told_to_all_viewers_wherever_they_are(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel()
    with serve(server_settings, model) as served:
        place = f"#/streams/{served.client.begin(make_video(20))}"
        with visit(browser, served.client, place) as page, visit(browser, served.client, place) as other:
            let_say(page, model, "nothing happens.")
            watch_for(page, QUESTION)
            page.get_by_role("tab", name="Moments").click()
            let_say(page, model, "a cat sleeps.")
            let_say(page, model, "a dog arrives.")
            for viewer in (page, other):
                told = viewer.get_by_role("status", name="Alerts", exact=True)
                expect(told).to_contain_text(QUESTION)
                expect(told).to_contain_text("00:04 a dog arrives.")
                expect(viewer.get_by_role("tab", name="Tell me when · 1")).to_be_visible()
            let_say(page, model, "the dog sleeps.")  # it stays so: nothing new to tell
            let_say(page, model, "nothing happens.")
            expect(page.get_by_role("tab", name="Tell me when · 1")).to_be_visible()

            page.get_by_role("button", name=QUESTION).click()
            expect(page.locator(".stage .time")).to_have_text("00:04 – 00:06")
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_be_empty()
            other.get_by_role("button", name="Dismiss the alert").click()
            expect(other.get_by_role("status", name="Alerts", exact=True)).to_be_empty()
            model.let(9)


def test_alerts_of_before_are_listed_and_not_told_again(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel()
    with serve(server_settings, model) as served:
        stream_id = served.client.begin(make_video(20))
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            let_say(page, model, "nothing happens.")
            watch_for(page, QUESTION)
            let_say(page, model, "a dog arrives.")
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_contain_text("a dog arrives.")
            page.reload()
            expect(page.get_by_role("tab", name="Tell me when · 1")).to_be_visible()
            page.get_by_role("tab", name="Tell me when").click()
            listed = page.get_by_role("list", name="Standing questions")
            expect(listed.get_by_role("button", name="00:02 a dog arrives.")).to_be_visible()
            let_say(page, model, "nothing happens.")
            let_say(page, model, "another dog arrives.")
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_contain_text("00:06 another dog arrives.")
            expect(page.get_by_role("tab", name="Tell me when · 2")).to_be_visible()
            page.get_by_role("button", name=f"Delete: {QUESTION}").click()
            expect(page.get_by_text("No standing questions yet.")).to_be_visible()
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_be_empty()
            assert served.client("GET", "/v1/standing-questions").data == []
            model.let(9)


def test_a_question_for_all_streams_is_asked_of_later_ones(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says="a dog arrives.")
    model.let(2)
    with serve(server_settings, model) as served:
        first = served.client.begin(make_video(4))
        served.client.wait_for_state(first, "complete")
        with visit(browser, served.client, f"#/streams/{first}") as page:
            expect(page.get_by_role("option")).to_have_count(2)
            page.get_by_role("tab", name="Tell me when").click()
            expect(page.get_by_text("it gets no new captions")).to_be_visible()
            watch_for(page, QUESTION, everywhere=True)
            second = served.client.begin(make_video(10))
            page.goto(f"http://127.0.0.1:{served.client.port}/#/streams/{second}")
            let_say(page, model, "the dog barks.")
            expect(page.get_by_role("tab", name="Tell me when · 1")).to_be_visible()
            model.let(9)


def test_an_alert_that_comes_while_the_page_is_opened_is_told(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says="nothing happens.")
    with serve(server_settings, model) as served:
        client = served.client
        client("POST", "/v1/standing-questions", {"question": QUESTION, "method": "words"})
        stream_id = client.begin(make_video(20))

        def say_meanwhile(route: Route) -> None:
            """The clips are asked for: before they are answered, there is one more, and it is told."""
            model.says = "a dog arrives."
            model.let(1)
            wait_for(lambda: client("GET", "/v1/standing-questions").data[0]["num_alerts"] == 1, "the alert")
            route.continue_()

        with visit(browser, client) as page:
            page.route("**/v1/streams/*/clips?**", say_meanwhile, times=1)
            page.locator("a.stream-card").click()
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_contain_text("00:00 a dog arrives.")
            expect(page.get_by_role("option")).to_have_count(1)
        model.let(9)
        client.wait_for_state(stream_id, "complete")
