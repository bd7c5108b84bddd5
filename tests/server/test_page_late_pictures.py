"""A click on a citation shows its moment, where pictures begin late or the whole file does: by the picture seen."""

import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from keepsight.server.settings import ServerSettings
from tests.server.paged import visit, wait_until
from tests.server.served import ServedModel, serve

GREY_A_SECOND, FIRST_GREY = 12, 40

FILES = {
    "sound-first.mp4": ("libx264", "aac", "10", "0"),
    "all-late.mp4": ("libx264", "aac", "0", "10"),
    "sound-first.webm": ("libvpx", "libvorbis", "10", "0"),
}


def write_grey(path: Path, video_codec: str, audio_codec: str, pictures_late: str, all_late: str) -> None:
    """Twelve seconds of grey that grows lighter every second, beside a tone."""
    grey = f"nullsrc=s=64x64:r=4:d=12,geq=lum='{FIRST_GREY}+{GREY_A_SECOND}*floor(T)':cb=128:cr=128"
    pictures = ["-itsoffset", pictures_late, "-f", "lavfi", "-i", grey, "-f", "lavfi", "-i", "sine=d=22"]
    coding = ["-fps_mode", "passthrough", "-c:v", video_codec, "-pix_fmt", "yuv420p", "-c:a", audio_codec]
    subprocess.run(
        ["ffmpeg", "-v", "error", *pictures, *coding, "-output_ts_offset", all_late, str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def grey_seen(page: Page) -> int:
    """Grey level in the middle of the video as it is on screen; -1 while it seeks."""
    script = """(video) => {
        if (video.seeking || video.readyState < 2) return -1;
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 8;
        const context = canvas.getContext("2d");
        context.drawImage(video, 0, 0, 8, 8);
        return context.getImageData(4, 4, 1, 1).data[0];
    }"""
    return int(page.locator("video").evaluate(script))


def is_of_clip(grey: int, seconds: int) -> bool:
    """Whether a grey is that of a clip of two seconds that begins so long after the first picture."""
    first, last = ((FIRST_GREY + GREY_A_SECOND * (seconds + more) - 16) * 255 / 219 for more in (0, 1))
    return first - 6 < grey < last + 6


def shows_clip(page: Page, clip: int) -> bool:
    return is_of_clip(grey_seen(page), 2 * clip)


@pytest.mark.parametrize("name", FILES)
def test_a_citation_shows_the_picture_of_its_moment(
    browser: Browser, server_settings: ServerSettings, tmp_path: Path, name: str
) -> None:
    write_grey(tmp_path / name, *FILES[name])
    with serve(replace(server_settings, roots=(tmp_path,)), ServedModel()) as served:
        stream_id = served.client.begin(tmp_path / name)
        served.client.wait_for_state(stream_id, "complete")
        clips = served.client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
        assert len(clips) == 6
        assert clips[0]["start_seconds"] == pytest.approx(float(FILES[name][2]), abs=0.1)
        with visit(browser, served.client, f"#/streams/{stream_id}/clips/1") as page:
            wait_until(page, lambda: page.locator("video").count() == 1)
            for clip in (4, 0, 5):
                page.goto(f"{page.url.partition('#')[0]}#/streams/{stream_id}/clips/{clip}")
                wait_until(page, partial(shows_clip, page, clip))
            page.get_by_label("Ask about this video").fill("What happened first?")
            page.keyboard.press("Enter")
            answer = page.locator(".answer")
            expect(answer).to_have_attribute("aria-busy", "false")
            answer.locator("summary").click()
            citation = answer.locator("details button").nth(1)
            minutes, seconds = citation.inner_text().split(":")
            since_first = 60 * int(minutes) + int(seconds) - round(clips[0]["start_seconds"])
            citation.click()
            wait_until(page, lambda: is_of_clip(grey_seen(page), since_first))
