"""Search and filters of the moments, and ten thousand of them."""

from dataclasses import replace

import numpy as np
from playwright.sync_api import Browser, expect

from keepsight.journal import ClipRecord, EndReason, Journal, contact_sheet
from keepsight.server.settings import ServerSettings
from keepsight.spans import Span
from tests.server.paged import captions, moments, visit, wait_until
from tests.server.served import QUICK, ServedModel, serve
from tests.small_videos import MakeVideo

NUM_MANY = 10_000


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


def test_search_and_filters(browser: Browser, server_settings: ServerSettings) -> None:
    said = ["a dog arrives.", "nothing happens.", "two dogs leave.", "a cat sleeps."]
    with Journal.create(server_settings.journal) as journal, journal.transaction():
        stream = journal.streams.begin("/videos/short.mp4", "fake", QUICK.to_json())
        for index, caption in enumerate(said):
            clip = tiny_clip(stream.id, index, contact_sheet([np.full((9, 16, 3), 90, np.uint8)]))
            journal.clips.add(replace(clip, caption=caption, num_frames_dropped=3 * (index == 1)))
        journal.streams.end(stream.id, EndReason.COMPLETE, 8.0)
    with (
        serve(server_settings, ServedModel()) as served,
        visit(browser, served.client, f"#/streams/{stream.id}") as page,
    ):
        told = page.locator(".filters [role=status]")
        wait_until(page, lambda: moments(page) == said)
        search = page.get_by_label("Search the captions")
        search.fill("dog")
        wait_until(page, lambda: moments(page) == [said[0], said[2]])
        expect(told).to_have_text("2 of 4 clips")
        expect(page.locator(".legend .found")).to_be_visible()
        page.get_by_role("listbox", name="Clips").press("End")  # among those found
        expect(page.locator(".stage .caption")).to_have_text(said[2])
        search.fill("elephant")
        expect(page.get_by_text("No matching clips.")).to_be_visible()
        expect(told).to_have_text("0 of 4 clips")
        search.fill("sleeping")  # the server finds other inflections
        wait_until(page, lambda: moments(page) == [said[3]])
        search.fill("")
        page.get_by_role("button", name="Incomplete").click()
        wait_until(page, lambda: moments(page) == [said[1]])
        expect(page.get_by_role("option").get_by_text("3 frames dropped")).to_be_visible()
        page.get_by_role("button", name="All", exact=True).click()
        wait_until(page, lambda: moments(page) == said)
        expect(told).to_be_empty()


def test_only_what_is_in_memory_or_was_cited(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(make_video(20))
        served.client.wait_for_state(stream_id, "complete")
        said = captions(served.client, stream_id)
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            page.get_by_role("button", name="In memory").click()
            wait_until(page, lambda: moments(page) == said[-QUICK.memory_clips :])
            page.get_by_label("Ask about this video").fill("Where is the dog?")
            page.keyboard.press("Enter")
            expect(page.locator(".answer .closest button")).to_have_count(3)
            shown = page.locator(".answer .closest .said").all_inner_texts()
            page.get_by_role("tab", name="Moments").click()
            page.get_by_role("button", name="Cited").click()
            wait_until(page, lambda: moments(page) == shown)
            expect(page.locator(".legend .cited")).to_be_visible()


def test_the_visual_memory_is_seen_while_it_fills(
    browser: Browser, server_settings: ServerSettings, make_video: MakeVideo
) -> None:
    """Of forty places two are taken: these are in sight, and not the free ones behind them."""
    watching = replace(QUICK, memory_clips=40)
    with serve(server_settings, ServedModel(), watching) as served:
        stream_id = served.client.begin(make_video(4))
        served.client.wait_for_state(stream_id, "complete")
        with visit(browser, served.client, f"#/streams/{stream_id}") as page:
            held = page.locator(".memory li.held")
            expect(held).to_have_count(2)
            page.locator(".memory").scroll_into_view_if_needed()
            for clip in held.all():
                expect(clip).to_be_in_viewport()
            strip = page.get_by_label("Clips held, oldest first")
            assert strip.evaluate("(one) => one.scrollWidth > one.clientWidth && one.scrollLeft === 0")
