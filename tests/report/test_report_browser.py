"""The page in a real browser: it works, it is quiet, and it asks nothing of the network."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from keepsight.report import render_report
from tests.patience import PROCESS_SECONDS
from tests.report.report_records import small_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

CHECK = """
addEventListener("securitypolicyviolation", (event) => problems.push(`${event.violatedDirective} ${event.blockedURI}`));
addEventListener("error", (event) => problems.push(event.message || "a part failed to load"), true);
const problems = [];
addEventListener("load", async () => {
  const dead = [...document.querySelectorAll("a[href]")].filter(
    (link) => !document.getElementById(link.getAttribute("href").slice(1)));
  location.hash = "#clip-2";
  await new Promise((done) => setTimeout(done, 50));
  const target = document.querySelector("article:target");
  const box = document.getElementById("search");
  box.value = "thing 3";
  box.dispatchEvent(new Event("input"));
  const shown = [...document.querySelectorAll("article")].filter((clip) => clip.checkVisibility());
  const lit = getComputedStyle(document.querySelector(".strip b"), "::after");
  const requests = performance.getEntriesByType("resource").filter((entry) => !entry.name.startsWith("data:"));
  const result = {
    problems,
    dead: dead.length,
    target: target && target.id,
    shown: shown.map((clip) => clip.id),
    title: document.title,
    masked: lit.maskImage.startsWith("url") && lit.backgroundImage.startsWith("url"),
    broken: [...document.images].filter((image) => !image.loading && !image.naturalWidth).length,
    requests: requests.map((entry) => entry.name),
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  };
  document.documentElement.dataset.result = JSON.stringify(result);
});
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("KEEPSIGHT_REQUIRE_CHROMIUM") == "1":
        pytest.fail("KEEPSIGHT_REQUIRE_CHROMIUM is set, but there is no chromium")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


def run_chromium(chromium: str, page: Path, profile: Path, *, width: int) -> subprocess.CompletedProcess[str]:
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=5000 --dump-dom"
    )
    return subprocess.run(
        [chromium, *flags.split(), f"--window-size={width},900", f"--user-data-dir={profile}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        check=True,
    )


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_works_and_asks_nothing_of_the_network(chromium: str, tmp_path: Path, width: int) -> None:
    page = tmp_path / "report.html"
    html = render_report(small_report())
    # The check runs as a script of its own, so the page's policy is widened for it alone.
    policy = re.search(r"script-src ('sha256-[^']+')", html)
    assert policy is not None
    nonce = html.replace(policy.group(1), f"{policy.group(1)} 'nonce-check'")
    page.write_text(nonce.replace("<style>", f'<script nonce="check">{CHECK}</script><style>', 1), encoding="utf-8")
    done = run_chromium(chromium, page, tmp_path / "profile", width=width)
    match = re.search(r'data-result="([^"]*)"', done.stdout)
    assert match is not None, done.stderr[-2000:]
    result = match.group(1).replace("&quot;", '"')
    assert '"problems":[]' in result
    assert '"dead":0' in result
    assert '"target":"clip-2"' in result
    assert '"shown":["clip-3"]' in result
    assert '"title":"kitchen <b>.mp4 - Keepsight report"' in result.replace("&lt;", "<").replace("&gt;", ">")
    assert '"masked":true' in result
    assert '"broken":0' in result
    assert '"requests":[]' in result
    assert '"wide":false' in result
    assert "CONSOLE" not in done.stderr
