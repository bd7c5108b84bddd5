"""What concerns all streams: alerts of those that are not shown, and search in the captions of all."""

from playwright.sync_api import Browser, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import SteppedModel, visit, wait_until
from tests.server.served import ServedModel, serve
from tests.small_videos import MakeVideo


def test_alerts_of_other_streams_are_told_wherever_the_viewer_is(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says="nothing happens.")
    with serve(server_settings, model) as served:
        client = served.client
        model.let(2)
        shown = client.begin(make_video(4))
        client.wait_for_state(shown, "complete")
        client("POST", "/v1/standing-questions", {"question": "Is there a dog?", "method": "words"})
        watched = client.begin(make_video(20))
        with visit(browser, client) as home, visit(browser, client, f"#/streams/{shown}") as other:
            expect(home.locator(".stream-card")).to_have_count(2)
            expect(other.get_by_role("option")).to_have_count(2)
            model.let(1)
            client.wait_for(watched, lambda view: view["num_clips"] == 1)
            model.says = "a <b>dog</b> arrives."
            model.let(1)
            for page in (home, other):
                told = page.get_by_role("status", name="Alerts of other streams")
                expect(told).to_contain_text("Is there a dog? 20s-8fps.mp4")
                expect(told).to_contain_text("00:02 a <b>dog</b> arrives.")
            home.get_by_role("button", name="Dismiss the alert").click()
            expect(home.get_by_role("status", name="Alerts of other streams")).to_be_empty()
            other.get_by_role("link", name="Is there a dog?").click()
            expect(other.locator(".stage .time")).to_have_text("00:02 – 00:04")
            expect(other.get_by_role("status", name="Alerts of other streams")).to_be_empty()
            # What is told of the stream that is shown is told in its panel, once.
            model.says = "nothing happens."
            model.let(1)
            client.wait_for(watched, lambda view: view["num_clips"] == 3)
            model.says = "the dog is back."
            model.let(1)
            expect(other.get_by_role("status", name="Alerts", exact=True)).to_contain_text("the dog is back.")
            expect(other.get_by_role("status", name="Alerts of other streams")).to_be_empty()
            expect(home.get_by_role("status", name="Alerts of other streams")).to_contain_text("the dog is back.")
            model.let(9)


def test_what_was_told_while_nobody_looked_is_told_afterwards(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says="nothing happens.")
    with serve(server_settings, model) as served:
        client = served.client
        client("POST", "/v1/standing-questions", {"question": "Is there a dog?", "method": "words"})
        watched = client.begin(make_video(20))
        with visit(browser, client) as page:
            expect(page.locator(".stream-card")).to_have_count(1)
            model.let(1)
            client.wait_for(watched, lambda view: view["num_clips"] == 1)
            page.evaluate(  # the page's own events, which were asked for earlier, have begun by then
                "() => new Promise((done) => { const events = new EventSource('/v1/events');"
                " events.addEventListener('since', () => { events.close(); done(); }); })"
            )
            page.evaluate(HIDE)
            model.says = "a dog arrives."
            model.let(1)
            (question,) = client("GET", "/v1/standing-questions").data
            path = f"/v1/standing-questions/{question['id']}/alerts"
            client.wait_for(watched, lambda _: len(client("GET", path).data["alerts"]) == 1)
            expect(page.get_by_role("status", name="Alerts of other streams")).to_be_empty()
            page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
            expect(page.get_by_role("status", name="Alerts of other streams")).to_contain_text("a dog arrives.")
            model.let(9)


RECORD_NOTICES = """() => {
    const Real = window.Notification;
    window.told = [];
    window.Notification = class {
        static get permission() { return Real.permission; }
        static requestPermission() { return Real.requestPermission(); }
        constructor(title, options) { window.told.push([title, options.body]); window.last = this; }
        close() {}
    };
}"""
HIDE = (
    "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });"
    " document.dispatchEvent(new Event('visibilitychange'))"
)


def test_who_asked_for_it_gets_a_notice_while_the_page_is_in_the_background(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says="nothing happens.")
    with serve(server_settings, model) as served:
        client = served.client
        stream_id = client.begin(make_video(20))
        client("POST", "/v1/standing-questions", {"question": "Is there a dog?", "method": "words"})
        with visit(browser, client, f"#/streams/{stream_id}", permissions=["notifications"]) as page:
            page.evaluate(RECORD_NOTICES)
            page.get_by_role("tab", name="Tell me when").click()
            page.get_by_label("Also notify me while this page is in the background").check()
            model.let(1)
            expect(page.locator(".stage .caption")).to_have_text("nothing happens.")
            page.evaluate(HIDE)
            model.says = "a dog arrives."
            model.let(1)
            wait_until(page, lambda: page.evaluate("told.length") == 1)
            assert page.evaluate("told") == [["Is there a dog?", "20s-8fps.mp4, 00:02: a dog arrives."]]
            page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
            page.evaluate("last.onclick()")
            expect(page.locator(".stage .time")).to_have_text("00:02 – 00:04")
            page.get_by_label("Also notify me while this page is in the background").uncheck()
            model.says = "nothing happens."
            model.let(1)
            client.wait_for(stream_id, lambda view: view["num_clips"] == 3)
            page.evaluate(HIDE)
            model.says = "the dog is back."
            model.let(1)
            path = "/v1/standing-questions/" + client("GET", "/v1/standing-questions").data[0]["id"] + "/alerts"
            client.wait_for(stream_id, lambda _: len(client("GET", path).data["alerts"]) == 2)
            page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
            expect(page.get_by_role("status", name="Alerts", exact=True)).to_contain_text("the dog is back.")
            assert page.evaluate("told.length") == 1
            model.let(9)


def test_a_browser_that_refuses_notices_is_believed(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(4))
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            page.evaluate("Notification.requestPermission = async () => 'denied'")
            page.get_by_role("tab", name="Tell me when").click()
            box = page.get_by_label("Also notify me while this page is in the background")
            box.click()
            expect(page.get_by_role("alert")).to_have_text(
                "The browser blocks notifications from this page; allow them in its settings."
            )
            expect(box).not_to_be_checked()


def test_captions_of_all_streams_are_searched_by_words_then_by_meaning(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    model = SteppedModel(says="a dog sleeps.")
    with serve(server_settings, model) as served:
        client = served.client
        for seconds, says in ((2, "a dog sleeps."), (4, "a <i>cat</i> comes in.")):
            model.says = says
            model.let(seconds // 2)
            client.wait_for_state(client.begin(make_video(seconds)), "complete")
        with visit(browser, client) as page:
            search = page.get_by_label("Search the captions of all streams")
            found = page.locator(".found a")
            search.fill("dogs")
            expect(found).to_have_count(1)
            expect(found).to_contain_text("a dog sleeps.")
            expect(found).to_contain_text("2s-8fps.mp4")
            search.fill("<i>cat")
            expect(found).to_have_count(2)
            search.fill("nobody said this")
            expect(page.get_by_text("Closest in meaning")).to_be_visible()
            expect(found).to_have_count(3)
            search.fill("cats")
            expect(found).to_have_count(2)
            found.nth(1).click()
            expect(page.locator(".stage .caption")).to_have_text("a <i>cat</i> comes in.")
            expect(page.get_by_role("option", selected=True)).to_have_count(1)


def test_there_is_no_search_before_there_is_a_stream(browser: Browser, server_settings: ServerSettings) -> None:
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Watch a video. Ask it anything.")
        expect(page.get_by_label("Search the captions of all streams")).to_have_count(0)
