"""Behind a proxy, in a real browser: more tabs than it has connections over HTTP/1.1."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from keepsight.server.http.access.sessions import SESSION_COOKIE
from tests.server.proxy.tls_client import NAME, TlsClient
from tests.server.served import PATIENCE_SECONDS, Served
from tests.small_videos import MakeVideo

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NUM_TABS = 8
"""Over HTTP/1.1 a browser has six connections to a site."""


@pytest.fixture
def browsing() -> Iterator[BrowserContext]:
    """A browser that takes the proxy's name for this machine's, and its certificate as it is."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("KEEPSIGHT_REQUIRE_CHROMIUM") == "1":
        pytest.fail("KEEPSIGHT_REQUIRE_CHROMIUM is set, but there is no chromium")
    if found is None:
        pytest.skip("no chromium on this machine")
    words = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=words)
        yield browser.new_context(ignore_https_errors=True, reduced_motion="reduce")
        browser.close()


def test_every_tab_is_told_that_a_stream_is_complete(
    served: Served, proxied: TlsClient, browsing: BrowserContext, make_video: MakeVideo
) -> None:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    served.model.gate.clear()
    stream_id = proxied.begin(make_video(10))
    tabs = [browsing.new_page() for _ in range(NUM_TABS)]
    tabs[0].goto(proxied.origin)
    tabs[0].get_by_label("Token").fill(str(proxied.token))
    tabs[0].get_by_role("button", name="Sign in").click()
    expect(tabs[0].get_by_label("Token")).to_have_count(0)
    assert [(cookie["name"], cookie["secure"]) for cookie in browsing.cookies()] == [(SESSION_COOKIE, True)]
    for tab in tabs:
        tab.goto(f"{proxied.origin}/#/streams/{stream_id}")
        expect(tab.locator(".state")).to_have_text("Watching")
    spoken = [tab.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") for tab in tabs]
    assert {*spoken} <= {"h2", "h3"}
    served.model.gate.set()
    for tab in tabs:
        expect(tab.locator(".state")).to_have_text("Complete")
