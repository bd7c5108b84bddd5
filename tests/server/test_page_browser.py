"""The page in a real browser: drop, watch, ask, seek; what breaks in between; what it may not do."""

import base64
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright
from served import PATIENCE_SECONDS, QUICK, Client, ServedModel, serve

from keepsight.journal import ClipRecord, EndReason, Journal, contact_sheet
from keepsight.models.protocol import Description, VisualInput
from keepsight.server.settings import ServerSettings
from keepsight.spans import Span

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>&amp; {} \u202e"
TOKEN = "a-token-of-a-good-length"
NUM_MANY = 10_000

expect.set_options(timeout=PATIENCE_SECONDS * 1000)


@dataclass
class SteppedModel(ServedModel):
    """Describes so many clips as it is let.

    Attributes:
        steps: one is taken for each clip.
        says: put in the place of captions, if it is anything.
    """

    steps: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    says: str = ""

    def describing(self, clips, prompt="", **more):  # type: ignore[no-untyped-def]
        for _ in clips:
            while not (self.steps.acquire(blocking=False) or not self.gate.is_set()):
                time.sleep(0.005)
                yield
        return (yield from super().describing(clips, prompt, **more))

    def describe(self, clip: VisualInput, *arguments: object, **more: object) -> Description:
        description = super().describe(clip, *arguments, **more)  # type: ignore[arg-type]
        return replace(description, caption=self.says) if self.says else description

    def let(self, count: int) -> None:
        self.steps.release(count)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("KEEPSIGHT_REQUIRE_CHROMIUM") == "1":
        pytest.fail("KEEPSIGHT_REQUIRE_CHROMIUM is set, but there is no chromium")
    if found is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@contextmanager
def visit(browser: Browser, client: Client, place: str = "", width: int = 1300) -> Iterator[Page]:
    """A page of a viewer of his own; nothing of it may leave the server, break its policy, or fail."""
    context: BrowserContext = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    asked, problems = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
    page.goto(f"http://127.0.0.1:{client.port}/{place}")
    try:
        yield page
        away = [url for url in asked if urlsplit(url).netloc != f"127.0.0.1:{client.port}" and url[:5] != "blob:"]
        assert away == []
        assert problems == []
    finally:
        context.close()


def moments(page: Page) -> list[str]:
    """Captions in the list, as far as they are drawn."""
    return page.locator(".moments .row .said").all_inner_texts()


def captions(client: Client, stream_id: str) -> list[str]:
    return [clip["caption"] for clip in client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]]


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, page.inner_text("main")
        page.wait_for_timeout(30)


def drop(page: Page, video: Path, name: str) -> None:
    """Let go of a file over the page, as from a file manager."""
    content = base64.b64encode(video.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "video/mp4" }));
            return transfer;
        }""",
        [content, name],
    )
    page.dispatch_event(".add", "drop", {"dataTransfer": transfer})


def test_drop_a_file_watch_ask_and_seek(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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


def test_what_was_kept_is_left_bright(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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
            page.get_by_label("What was kept").uncheck()
            expect(page.locator("canvas.mask")).to_have_count(0)


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
        expect(page.get_by_text("The server does not answer.")).to_be_visible()
        with serve(replace(server_settings, port=client.port), ServedModel()) as served:
            served.service.go_on()
            wait_until(page, lambda: moments(page) == captions(served.client, stream_id) and len(moments(page)) == 10)
            expect(page.get_by_text("The server does not answer.")).to_be_hidden()
            expect(page.locator(".state")).to_have_text("Complete")
    finally:
        browsing.__exit__(None, None, None)


def test_hostile_captions_are_only_text(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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


def test_ten_thousand_clips(browser: Browser, server_settings: ServerSettings) -> None:
    with Journal.create(server_settings.journal) as journal, journal.transaction():
        stream = journal.streams.begin("/videos/long.mp4", "fake", QUICK.to_json())
        sheet = contact_sheet([np.full((9, 16, 3), 90, np.uint8)])
        for index in range(NUM_MANY):
            journal.clips.add(tiny_clip(stream.id, index, sheet))
        journal.streams.end(stream.id, EndReason.COMPLETE, 2.0 * NUM_MANY)
    with (
        serve(server_settings, ServedModel()) as served,
        visit(browser, served.client, f"#/streams/{stream.id}") as page,
    ):
        expect(page.get_by_role("slider", name="Clip")).to_have_attribute("aria-valuemax", str(NUM_MANY))
        count = "document.querySelectorAll('*').length"
        assert page.evaluate(count) < 400
        page.locator(".moments").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
        expect(page.get_by_text(f"number {NUM_MANY - 1}.")).to_be_visible()
        page.get_by_role("listbox", name="Clips").press("Home")
        expect(page.locator(".stage .caption")).to_have_text("number 0.")
        page.get_by_role("slider", name="Clip").press("End")
        expect(page.locator(".stage .caption")).to_have_text(f"number {NUM_MANY - 1}.")
        page.get_by_label("Search the captions").fill("number 7777")
        expect(page.locator(".filters [role=status]")).to_have_text("1 of 10,000 clips")
        assert page.evaluate(count) < 400


def tiny_clip(stream_id: str, index: int, sheet: bytes) -> ClipRecord:
    return ClipRecord(
        stream_id=stream_id,
        clip_index=index,
        span=Span(2.0 * index, 2.0 * index + 2.0),
        caption=f"number {index}.",
        num_line_tokens=8,
        num_visual_tokens=4,
        num_memory_tokens=0,
        token_grid=(2, 2),
        seconds_spent=0.1,
        frame_seconds=(2.0 * index,),
        kept_indices=np.array([1], np.int32),
        embedding=np.zeros(12, np.float32),
        scores=np.zeros(4, np.float32),
        thumbnail=sheet,
    )


def test_a_token_is_asked_for(browser: Browser, server_settings: ServerSettings) -> None:
    with (
        serve(replace(server_settings, token=TOKEN), ServedModel()) as served,
        visit(browser, served.client) as page,
    ):
        box = page.get_by_label("Token")
        box.fill("not-the-right-token-at-all")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("alert")).to_be_visible()
        box.fill(TOKEN)
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Try a toy video")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        page.reload()
        expect(page.get_by_text("Try a toy video")).to_be_visible()


def test_phone_width_and_names_for_all_controls(browser: Browser, server_settings: ServerSettings, make_video) -> None:
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
            page.get_by_label("Ask this of every new caption").fill("Is there a dog?")
            page.get_by_role("button", name="Add").click()
            expect(page.get_by_role("button", name="Stop watching for: Is there a dog?")).to_be_visible()
            page.get_by_label("All streams", exact=True).click()
            expect(page.locator(".stream-card")).to_be_visible()
            assert not page.evaluate(is_wide)
            assert page.evaluate(unnamed) == []
