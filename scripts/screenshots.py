#!/usr/bin/env python3
"""Takes the pictures of the page that the documentation shows: toy videos watched by the bundled model, in Chromium.

Run `python scripts/screenshots.py` from the root; it needs the development dependencies and a Chromium.
"""

import argparse
import io
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, Route, sync_playwright

from keepsight.hub.service import StreamService
from keepsight.models.loading import load_model
from keepsight.server.http.app import make_app
from keepsight.server.http.running import HttpServer, address_of, listen
from keepsight.server.settings import ServerSettings
from keepsight.toyworld.files import ToyVideoSettings, make_truth
from keepsight.toyworld.render import render_frame

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZES = {"wide": (1400, 960), "tour": (1280, 860), "phone": (390, 844)}
PATIENCE_MILLISECONDS = 120_000
TOY_SEED = 11
MARGIN_PIXELS = 12
PART_BYTES = 1 << 20
CAMERA_SEED, CAMERA_FRAMES, SAMPLE_FPS = 23, 5 * 16 + 7, 0.5


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
        device_scale_factor=2 if size == "phone" else 1,
        color_scheme=scheme,  # type: ignore[arg-type]
        base_url=address,
    )
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    try:
        yield opened
    finally:
        context.close()


def take(opened: Page, out: Path, name: str, *, whole: bool = False, of: list[Locator] | None = None) -> None:
    """Write one picture, once nothing moves any more: of the window, of the whole page, or around some of its parts."""
    opened.wait_for_timeout(700)
    around = None if of is None else rectangle_around(of)
    shot = opened.screenshot(full_page=whole or of is not None, clip=around, animations="disabled")
    # 256 colours are as many as can be told apart here, and a third of the bytes.
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        out / f"{name}.png", optimize=True
    )


def rectangle_around(parts: list[Locator]) -> FloatRect:
    """In CSS pixels from the top left corner of the page, with a margin."""
    edges = [
        part.evaluate(
            "(e) => { const b = e.getBoundingClientRect();"
            " return [b.left + scrollX, b.top + scrollY, b.right + scrollX, b.bottom + scrollY]; }"
        )
        for part in parts
    ]
    left, top = (min(edge[side] for edge in edges) - MARGIN_PIXELS for side in (0, 1))
    right, bottom = (max(edge[side] for edge in edges) + MARGIN_PIXELS for side in (2, 3))
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def forget_standing_questions(opened: Page) -> None:
    """Isolate later pictures from questions asked for earlier ones."""
    for question in opened.request.get("/v1/standing-questions").json():
        opened.request.delete(f"/v1/standing-questions/{question['id']}")


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


def take_page(browser: Browser, address: str, out: Path) -> None:
    """The page in light and dark, wide and on a phone, first without streams."""
    for scheme in ("light", "dark"):
        with page(browser, "wide", scheme, address) as opened:
            opened.goto("/")
            opened.get_by_text("Try a toy video").wait_for()
            take(opened, out, f"page-first-{scheme}")
    with page(browser, "phone", "light", address) as opened:
        opened.goto("/")
        opened.get_by_text("Try a toy video").wait_for()
        take(opened, out, "page-first-phone")
    with page(browser, "wide", "light", address) as opened:
        opened.goto("/")
        stream = stream_id(opened)
        opened.goto(f"/#/streams/{stream}/clips/9")
        opened.get_by_role("option").first.wait_for()
        take(opened, out, "page-stream-light")
        for idea in opened.locator(".ideas button").all_inner_texts():
            ask(opened, idea)
        opened.locator(".answer .closest button").first.click()
        take(opened, out, "page-answer-light")
    for size, scheme in (("wide", "dark"), ("phone", "light"), ("phone", "dark")):
        with page(browser, size, scheme, address) as opened:
            opened.goto(f"/#/streams/{stream}/clips/9")
            opened.get_by_role("option").first.wait_for()
            name = scheme if size == "wide" else f"phone-{scheme}"
            take(opened, out, f"page-stream-{name}", whole=size == "phone")
    with page(browser, "wide", "light", address) as opened:
        opened.goto("/")
        opened.locator(".stream-card").first.wait_for()
        take(opened, out, "page-streams-light")


def take_tour(browser: Browser, address: str, out: Path) -> None:
    """What docs/tour.md shows beside those: a stream while it is watched, parts of it, and what can be added."""
    with page(browser, "tour", "light", address) as opened:
        opened.goto("/")
        made = opened.request.post("/v1/toy", data={"seed": TOY_SEED, "minutes": 40}, timeout=PATIENCE_MILLISECONDS)
        opened.goto(f"/#/streams/{made.json()['id']}")
        opened.get_by_role("tab", name="Tell me when").click()
        opened.get_by_label("Check every new caption").fill("Is there a drum?")
        opened.get_by_label("Match words only, without the model").check()
        opened.get_by_role("button", name="Add").click()
        opened.locator(".standing .closest button").nth(1).wait_for()
        take(opened, out, "tour-alert", of=[opened.locator(".panel")])
        forget_standing_questions(opened)
        opened.get_by_role("tab", name="Moments").click()
        opened.get_by_role("button", name="Dismiss the alert").click()
        take(opened, out, "tour-watching")
    with page(browser, "tour", "light", address) as opened:
        opened.goto(f"/#/streams/{stream_id(opened)}/clips/6")
        opened.locator(".filmstrip").wait_for()
        take(opened, out, "tour-kept", of=[opened.locator(".stage")])
        take(opened, out, "tour-memory", of=[opened.locator(".timeline"), opened.locator(".memory")])
    with page(browser, "tour", "light", address) as opened:
        opened.goto("/")
        opened.get_by_label("Camera or path").fill("rtsp://192.168.1.20/main")
        take(opened, out, "tour-camera", of=[opened.locator(".ways")])
        opened.get_by_label("Camera or path").fill("")
        held: list[Route] = []
        opened.route("**/v1/uploads/*", lambda route: stop_in_the_middle(route, held))
        content = struct.pack(">I4s", 8, b"free") + bytes(4 * PART_BYTES)
        opened.get_by_label("Video file").set_input_files(
            {"name": "kitchen.mp4", "mimeType": "video/mp4", "buffer": content}
        )
        opened.get_by_text("Uploading kitchen.mp4, 49 %").wait_for()
        take(opened, out, "tour-upload", of=[opened.locator(".add")])
        for route in held:
            route.abort()


def take_live(browser: Browser, address: str, out: Path) -> None:
    """A camera while it is watched, and all streams with what was found in their captions."""
    with page(browser, "tour", "light", address) as opened:
        opened.goto("/")
        camera = opened.request.post("/v1/streams", data={"source": "push:front-door"}).json()["id"]
        asked = {"question": "Is there a truck?", "method": "words", "stream_id": camera}
        opened.request.post("/v1/standing-questions", data=asked)
        story = make_truth(ToyVideoSettings(seed=CAMERA_SEED, minutes=4)).story
        for number in range(CAMERA_FRAMES):
            picture = io.BytesIO()
            Image.fromarray(render_frame(story, number / SAMPLE_FPS, 480)).save(picture, "JPEG", quality=92)
            opened.request.post(
                f"/v1/streams/{camera}/frames?pts_seconds={number / SAMPLE_FPS}",
                data=picture.getvalue(),
                headers={"Content-Type": "image/jpeg"},
            )
        opened.get_by_label("Search the captions of all streams").fill("box arrives")
        opened.locator(".found a").first.wait_for()
        opened.get_by_role("status", name="Alerts of other streams").get_by_role("link").first.wait_for()
        take(opened, out, "tour-streams")
        forget_standing_questions(opened)
        opened.goto(f"/#/streams/{camera}")
        opened.get_by_text("for the next caption").wait_for()
        opened.get_by_role("option").nth(CAMERA_FRAMES // 16 - 1).wait_for()
        take(opened, out, "tour-live")
        opened.request.delete(f"/v1/streams/{camera}")


def stop_in_the_middle(route: Route, held: list[Route]) -> None:
    """Let two parts of a file through, and hold the third."""
    if route.request.headers.get("upload-offset") == str(2 * PART_BYTES):
        held.append(route)
    else:
        route.continue_()


def main() -> None:
    """Write all pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=IMAGES)
    arguments.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chosen = arguments.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
        take_page(browser, address, chosen.out)
        take_tour(browser, address, chosen.out)
        take_live(browser, address, chosen.out)
        browser.close()


if __name__ == "__main__":
    main()
