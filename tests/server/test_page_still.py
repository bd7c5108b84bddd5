"""The page of a stream with clips in which nothing changed: they are marked, and their pictures stay bright."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import captions, moments, visit, wait_until
from tests.server.served import Client, ServedModel, serve
from tests.small_videos import write_pictures

BRIGHT, OTHER, THIRD = (np.full((48, 64, 3), level, np.uint8) for level in (200, 80, 140))
BLEND = """(canvas) => {
    const style = getComputedStyle(canvas);
    const sample = document.createElement("canvas").getContext("2d");
    const rgb = (name) => {
        sample.fillStyle = style.getPropertyValue(name).trim();
        sample.fillRect(0, 0, 1, 1);
        return [...sample.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const at = (clip) => [...canvas.getContext("2d").getImageData(
        Math.round(canvas.width * (2 * clip + 1) / 10), 20 * devicePixelRatio, 1, 1).data].slice(0, 3);
    return { rail: rgb("--rail"), seen: rgb("--seen"), held: rgb("--held"), clips: [0, 1, 2, 3, 4].map(at) };
}"""
LEVEL = "(canvas) => canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0]"


def watched(client: Client, folder: Path, *pictures: np.ndarray) -> str:
    """Stream of a video, complete, in which each picture stands for as long as a clip."""
    video = folder / f"door-{len(list(folder.iterdir()))}.mp4"
    write_pictures(video, [picture for picture in pictures for _ in range(4)], 2)
    stream_id = client.begin(video, skip_still=True)
    client.wait_for_state(stream_id, "complete")
    return stream_id


def is_near(one: list[int], other: list[float], most: float = 3) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= most


def check_timeline(page: Page) -> None:
    """Clips 0 and 3 are in the memory; the others are the rail, four tenths covered."""
    found = page.get_by_role("slider", name="Clip").evaluate(BLEND)
    pale = [0.6 * rail + 0.4 * seen for rail, seen in zip(found["rail"], found["seen"], strict=True)]
    assert [is_near(clip, pale) for clip in found["clips"]] == [False, True, True, False, True]
    assert [is_near(clip, found["held"]) for clip in found["clips"]] == [True, False, False, True, False]


def test_still_clips_are_marked_and_bright(browser: Browser, server_settings: ServerSettings, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    with serve(replace(server_settings, roots=(folder,)), ServedModel()) as served:
        stream_id = watched(served.client, folder, BRIGHT, BRIGHT, BRIGHT, OTHER, OTHER)
        moving = watched(served.client, folder, BRIGHT, OTHER, THIRD)
        with visit(browser, served.client, f"#/streams/{stream_id}/clips/0") as page:
            wait_until(page, lambda: moments(page) == captions(served.client, stream_id))
            expect(page.locator(".moments .soft")).to_have_text(
                ["nothing changed since 00:01", "nothing changed since 00:01", "nothing changed since 00:07"]
            )
            expect(page.locator(".legend .still")).to_have_text("No change")
            expect(page.locator(".figures div", has_text="with no change")).to_contain_text("3")
            expect(page.locator(".memory li:not(.free)")).to_have_count(2)
            check_timeline(page)
            switch = page.get_by_role("checkbox", name="Kept patches")
            expect(page.locator("canvas.mask")).to_have_count(1)
            expect(switch).to_be_enabled()

            page.get_by_role("option").nth(2).click()
            expect(page.locator(".stage .caption")).to_have_text("nothing changed since 00:01")
            expect(page.locator("canvas.mask")).to_have_count(0)
            expect(switch).to_be_disabled()
            expect(page.locator(".stage .switch")).to_have_text("Kept patches · none")
            frames = page.locator(".filmstrip canvas")
            expect(frames).to_have_count(4)
            wait_until(page, lambda: all(abs(one.evaluate(LEVEL) - 200) < 9 for one in frames.all()))

            page.get_by_role("option").nth(3).click()
            expect(switch).to_be_enabled()
            expect(page.locator("canvas.mask")).to_have_count(1)
        with visit(browser, served.client, f"#/streams/{moving}") as page:
            wait_until(page, lambda: moments(page) == captions(served.client, moving))
            expect(page.locator(".legend .still")).to_have_count(0)
            expect(page.locator(".figures")).not_to_contain_text("with no change")
