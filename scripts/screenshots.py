#!/usr/bin/env python3
"""Takes the pictures of the page that the documentation shows: a toy video watched by the bundled model, in Chromium.

Run `python scripts/screenshots.py` from the root; it needs the development dependencies and a Chromium.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from keepsight.models.loading import load_model
from keepsight.server.app import make_app
from keepsight.server.running import HttpServer, address_of, listen
from keepsight.server.settings import ServerSettings
from keepsight.server.streams.service import StreamService

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZES = {"wide": (1400, 960), "phone": (390, 844)}
PATIENCE_MILLISECONDS = 120_000
TOY_SEED = 11


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a server with an empty journal."""
    settings = ServerSettings(folder / "journal.db", roots=(folder,), port=0)
    with listen(settings) as listening, StreamService(load_model("tiny"), settings) as service:
        http = HttpServer(make_app(service, settings), service)
        thread = threading.Thread(target=http.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield address_of(listening, settings.host)
        finally:
            http.should_exit = True
            thread.join()


@contextmanager
def page(browser: Browser, size: str, scheme: str, address: str) -> Iterator[Page]:
    """A page of a size and a colour scheme."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1 if size == "wide" else 2,
        color_scheme=scheme,  # type: ignore[arg-type]
        base_url=address,
    )
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    try:
        yield opened
    finally:
        context.close()


def take(opened: Page, out: Path, name: str, *, whole: bool = False) -> None:
    """Write one picture, once nothing moves any more."""
    opened.wait_for_timeout(700)
    opened.screenshot(path=out / f"page-{name}.png", full_page=whole, animations="disabled")


def stream_id(opened: Page) -> str:
    """Make a toy video and wait until it is watched to its end."""
    made = opened.request.post("/v1/toy", data={"seed": TOY_SEED}, timeout=PATIENCE_MILLISECONDS).json()
    path = f"/v1/streams/{made['id']}"
    while opened.request.get(path).json()["state"] != "complete":
        time.sleep(0.5)
    return str(made["id"])


def ask(opened: Page, question: str) -> None:
    """Ask on the page and wait for the whole answer."""
    opened.get_by_label("Ask about this video").fill(question)
    opened.keyboard.press("Enter")
    answer = opened.locator(".answer").filter(has_text=question)
    answer.and_(opened.locator("[aria-busy=false]")).wait_for()


def take_all(browser: Browser, address: str, out: Path) -> None:
    """All pictures, first those of a server without streams."""
    for scheme in ("light", "dark"):
        with page(browser, "wide", scheme, address) as opened:
            opened.goto("/")
            opened.get_by_text("Try a toy video").wait_for()
            take(opened, out, f"first-{scheme}")
    with page(browser, "phone", "light", address) as opened:
        opened.goto("/")
        opened.get_by_text("Try a toy video").wait_for()
        take(opened, out, "first-phone")
    with page(browser, "wide", "light", address) as opened:
        opened.goto("/")
        stream = stream_id(opened)
        opened.goto(f"/#/streams/{stream}/clips/9")
        opened.get_by_role("option").first.wait_for()
        take(opened, out, "stream-light")
        for idea in opened.locator(".ideas button").all_inner_texts():
            ask(opened, idea)
        opened.locator(".answer .closest button").first.click()
        take(opened, out, "answer-light")
    for size, scheme in (("wide", "dark"), ("phone", "light"), ("phone", "dark")):
        with page(browser, size, scheme, address) as opened:
            opened.goto(f"/#/streams/{stream}/clips/9")
            opened.get_by_role("option").first.wait_for()
            name = scheme if size == "wide" else f"phone-{scheme}"
            take(opened, out, f"stream-{name}", whole=size == "phone")
    with page(browser, "wide", "light", address) as opened:
        opened.goto("/")
        opened.locator(".stream-card").first.wait_for()
        take(opened, out, "streams-light")


def main() -> None:
    """Write all pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=IMAGES)
    arguments.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chosen = arguments.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
        take_all(browser, address, chosen.out)
        browser.close()


if __name__ == "__main__":
    main()
