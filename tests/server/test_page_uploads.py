"""A file sent from the page in parts, and what happens when that is interrupted."""

import struct
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import captions, drop, moments, visit, wait_until
from tests.server.served import ServedModel, serve
from tests.small_videos import MakeVideo

PART_BYTES = 1 << 20
NAME = "kitchen.mp4"


@pytest.fixture
def large(make_video: MakeVideo) -> bytes:
    """A video of five parts: a box that decoders skip makes it large (ISO/IEC 14496-12, section 8.1.2)."""
    size = 4 * PART_BYTES + 1000
    return make_video(10).read_bytes() + struct.pack(">I4s", size, b"free") + bytes(size - 8)


def offsets_sent(page: Page) -> list[int]:
    """Where each part begins that the page sends, as it is sent; lost ones too."""
    sent: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            sent.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    return sent


def is_watched_to_its_end(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.locator(".state")).to_have_text("Complete")


def test_a_part_that_is_lost_is_sent_again(browser: Browser, server_settings: ServerSettings, large: bytes) -> None:
    lost: list[str] = []

    def lose_one(route: Route) -> None:
        if route.request.headers.get("upload-offset") == str(2 * PART_BYTES) and not lost:
            lost.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.locator(".add")).to_be_visible()
        sent = offsets_sent(page)
        page.route("**/v1/uploads/*", lose_one)
        drop(page, large, NAME)
        is_watched_to_its_end(page)
        assert [offset // PART_BYTES for offset in sent] == [0, 1, 2, 2, 3, 4]
        (stream,) = served.client("GET", "/v1/streams").data
        assert served.client("GET", f"/v1/streams/{stream['id']}/video").content == large
        wait_until(page, lambda: moments(page) == captions(served.client, stream["id"]))


def test_the_same_file_dropped_again_goes_on_where_it_was(
    browser: Browser, server_settings: ServerSettings, large: bytes
) -> None:
    def stop_at_third(route: Route) -> None:
        if route.request.headers.get("upload-offset") != str(2 * PART_BYTES):
            route.continue_()  # the others hang until the page is gone

    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.locator(".add")).to_be_visible()
        page.route("**/v1/uploads/*", stop_at_third)
        drop(page, large, NAME)
        expect(page.locator(".progress")).to_contain_text(f"Uploading {NAME}, 49 %")
        page.reload()
        page.unroute("**/v1/uploads/*")
        expect(page.locator(".add")).to_be_visible()
        sent = offsets_sent(page)
        drop(page, large, NAME)
        is_watched_to_its_end(page)
        assert [offset // PART_BYTES for offset in sent] == [2, 3, 4]
        (stream,) = served.client("GET", "/v1/streams").data
        assert served.client("GET", f"/v1/streams/{stream['id']}/video").content == large


def test_the_server_is_restarted_between_two_parts(
    browser: Browser, server_settings: ServerSettings, large: bytes
) -> None:
    held: list[Route] = []

    def hold_third(route: Route) -> None:
        if route.request.headers.get("upload-offset") == str(2 * PART_BYTES) and not held:
            held.append(route)
        else:
            route.continue_()

    with serve(server_settings, ServedModel()) as served:
        client = served.client
        browsing = visit(browser, client)
        page = browsing.__enter__()
        expect(page.locator(".add")).to_be_visible()
        page.route("**/v1/uploads/*", hold_third)
        drop(page, large, NAME)
        wait_until(page, lambda: bool(held))
    try:
        held[0].continue_()  # to nobody
        with serve(replace(server_settings, port=client.port), ServedModel()) as served:
            is_watched_to_its_end(page)
            (stream,) = served.client("GET", "/v1/streams").data
            assert served.client("GET", f"/v1/streams/{stream['id']}/video").content == large
    finally:
        browsing.__exit__(None, None, None)


def test_cancel(browser: Browser, server_settings: ServerSettings, large: bytes) -> None:
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        expect(page.locator(".add")).to_be_visible()
        page.route("**/v1/uploads/*", lambda route: None)  # hangs
        drop(page, large, NAME)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".progress")).to_be_hidden()
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.get_by_role("button", name="Try a toy video")).to_be_enabled()
        assert served.client("GET", "/v1/streams").data == []


def test_an_empty_file_is_told_in_words(browser: Browser, server_settings: ServerSettings) -> None:
    with serve(server_settings, ServedModel()) as served, visit(browser, served.client) as page:
        drop(page, b"", "empty.mp4")
        expect(page.locator(".add").get_by_role("alert")).to_have_text("The file is empty.")
