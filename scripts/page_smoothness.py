#!/usr/bin/env python3
"""Measures how smooth the page is with many clips: the time from frame to frame while its timeline is scrubbed.

Run `python scripts/page_smoothness.py` from the root; it needs the development dependencies and a Chromium.
"""

import argparse
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, Page, sync_playwright

from keepsight.hub.service import StreamService
from keepsight.journal import ClipRecord, EndReason, Journal, contact_sheet
from keepsight.models.loading import load_model
from keepsight.server.http.app import make_app
from keepsight.server.http.running import HttpServer, address_of, listen
from keepsight.server.settings import ServerSettings
from keepsight.settings import Settings
from keepsight.spans import Span

CLIP_SECONDS = 32.0
NUM_MOVES = 240
PATIENCE_MILLISECONDS = 60_000
BEGIN = """() => {
    window.frames_ms = [];
    let last = performance.now();
    const turn = (now) => { window.frames_ms.push(now - last); last = now; window.turn = requestAnimationFrame(turn); };
    window.turn = requestAnimationFrame(turn);
}"""
END = "() => { cancelAnimationFrame(window.turn); return window.frames_ms.slice(1); }"


def fill(journal_path: Path, num_clips: int) -> str:
    """A stream with so many clips; its id."""
    sheet = contact_sheet([np.full((72, 128, 3), 90, np.uint8)] * 16)
    with Journal.create(journal_path) as journal, journal.transaction():
        stream = journal.streams.begin("/videos/long.mp4", "tiny", Settings().to_json())
        for index in range(num_clips):
            journal.clips.add(clip_of(stream.id, index, sheet))
        journal.streams.end(stream.id, EndReason.COMPLETE, CLIP_SECONDS * num_clips)
    return stream.id


def clip_of(stream_id: str, index: int, sheet: bytes) -> ClipRecord:
    """A clip of sixteen frames, as the bundled model's are."""
    start = CLIP_SECONDS * index
    return ClipRecord(
        stream_id=stream_id,
        clip_index=index,
        span=Span(start, start + CLIP_SECONDS),
        caption=f"in the kitchen: the dog arrives, the cup number {index} stays.",
        num_line_tokens=16,
        num_visual_tokens=144,
        num_memory_tokens=0,
        token_grid=(3, 3),
        seconds_spent=0.2,
        frame_seconds=tuple(start + 2.0 * place for place in range(16)),
        kept_indices=np.arange(0, 144, 16, dtype=np.int32),
        embedding=np.zeros(12, np.float32),
        scores=np.zeros(144, np.float32),
        thumbnail=sheet,
    )


def scrub(page: Page, timeline: Locator) -> None:
    """Drag along the whole timeline and back."""
    box = timeline.bounding_box()
    if box is None:
        raise SystemExit("the page shows no timeline")
    left, width, middle = box["x"], box["width"], box["y"] + 15
    page.mouse.move(left + 2, middle)
    page.mouse.down()
    for move in range(NUM_MOVES):
        share = 1 - abs(1 - 2 * move / NUM_MOVES)
        page.mouse.move(left + 2 + share * (width - 4), middle)
    page.mouse.up()


def scroll(page: Page, moments: Locator) -> None:
    """Turn the wheel over the list of clips."""
    moments.hover()
    for _ in range(NUM_MOVES):
        page.mouse.wheel(0, 400)


def told(name: str, frames_ms: list[float]) -> str:
    """One line of figures."""
    middle, most, longest = np.percentile(frames_ms, (50, 95, 100))
    return f"{name}: {len(frames_ms)} frames, median {middle:.1f} ms, 95 % {most:.1f} ms, longest {longest:.1f} ms\n"


def measure(page: Page) -> None:
    """Print what was measured of an open page."""
    sys.stdout.write(f"elements in the document: {page.evaluate('document.querySelectorAll(`*`).length')}\n")
    for name, act, where in (
        ("scrubbing the timeline", scrub, page.get_by_role("slider", name="Clip")),
        ("scrolling the list", scroll, page.get_by_role("listbox", name="Clips")),
    ):
        page.evaluate(BEGIN)
        act(page, where)
        sys.stdout.write(told(name, page.evaluate(END)))


def main() -> None:
    """Fill a journal, serve it, and measure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clips", type=int, default=10_000)
    arguments.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = ServerSettings(Path(folder) / "journal.db", roots=(Path(folder),), port=0)
        stream_id = fill(settings.journal, chosen.clips)
        with listen(settings) as listening, StreamService(load_model("tiny"), settings) as service:
            http = HttpServer(make_app(service, settings), service)
            thread = threading.Thread(target=http.run, kwargs={"sockets": [listening]})
            thread.start()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1400, "height": 960})
                page.set_default_timeout(PATIENCE_MILLISECONDS)
                page.goto(f"{address_of(listening, settings.host)}/#/streams/{stream_id}")
                page.locator(f"[role=slider][aria-valuemax='{chosen.clips}']").wait_for()
                page.locator(".filmstrip").wait_for()
                measure(page)
                browser.close()
            http.should_exit = True
            thread.join()


if __name__ == "__main__":
    main()
