"""The page in a real browser: viewers of their own, what they see, and a model that describes when it is let."""

import base64
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from tests.patience import wait_for
from tests.server.served import PATIENCE_SECONDS, Client, ServedModel

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

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

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        end = time.monotonic() + 3 * PATIENCE_SECONDS  # a test that has failed must not hang
        for _ in clips:
            while not (self.steps.acquire(blocking=False) or not self.gate.is_set()) and time.monotonic() < end:
                time.sleep(0.005)
                yield
        return (yield from super().describing(clips, request))

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        description = super().describe(clip, request)
        return replace(description, caption=self.says) if self.says else description

    def let(self, count: int) -> None:
        self.steps.release(count)


def launch(playwright: Playwright) -> Browser:
    """A Chromium; skips the test where there is none, unless one is required."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("KEEPSIGHT_REQUIRE_CHROMIUM") == "1":
        pytest.fail("KEEPSIGHT_REQUIRE_CHROMIUM is set, but there is no chromium")
    if found is None:
        pytest.skip("no chromium on this machine")
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])


@contextmanager
def visit(browser: Browser, client: Client, place: str = "", width: int = 1300, **more: Any) -> Iterator[Page]:
    """A page of a viewer of his own; nothing of it may leave the server, break its policy, or fail."""
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **more)
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
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
    """The page goes on while it is waited for."""
    wait_for(is_so, lambda: page.inner_text("main"), pause=lambda: page.wait_for_timeout(30))


def drop(page: Page, video: Path | bytes, name: str) -> None:
    """Let go of a file over the page, as from a file manager; the same name and content are the same file."""
    content = base64.b64encode(video if isinstance(video, bytes) else video.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "video/mp4", lastModified: 1 }));
            return transfer;
        }""",
        [content, name],
    )
    page.dispatch_event(".add", "drop", {"dataTransfer": transfer})
