"""The documentation site: it is built without a warning, loads nothing from other hosts, and has all public names."""

import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

import keepsight
from tests.patience import DEADLINE_SECONDS

ROOT = Path(__file__).parent.parent
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Tag -> the attribute by which a browser loads something without being asked; a link of a user's own is none."""
NOT_LOADED = {"canonical", "next", "prev"}


class Loaded(HTMLParser):
    """Collects the addresses that a page makes a browser load, and the ids of its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag in LOADING and given.get("rel") not in NOT_LOADED and LOADING[tag] in given:
            self.addresses.append(given[LOADING[tag]] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_each_document_is_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for document in (ROOT / "docs").rglob("*.md"):
        assert f'href="{document.relative_to(ROOT / "docs").with_suffix(".html")}"' in home


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for path in pages:
        elsewhere = [one for one in Loaded(path.read_text(encoding="utf-8")).addresses if re.match(r"\w+:|//", one)]
        assert [one for one in elsewhere if not one.startswith("data:")] == [], path.name


def test_no_style_sheet_loads_anything_from_another_host(site: Path) -> None:
    sheets = list(site.rglob("*.css"))
    assert sheets
    for path in sheets:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*[\"']?(?:\w+:)?//|@import", text) == [], path.name


def test_the_reference_has_each_public_name_once(site: Path) -> None:
    ids = Loaded((site / "reference" / "python.html").read_text(encoding="utf-8")).ids
    shown = [one.removeprefix("keepsight.") for one in ids if re.fullmatch(r"keepsight\.\w+", one)]
    assert sorted(shown) == sorted(set(keepsight.__all__) - {"__version__"})


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None and os.environ.get("KEEPSIGHT_REQUIRE_CHROMIUM") == "1":
        pytest.fail("KEEPSIGHT_REQUIRE_CHROMIUM is set, but there is no chromium")
    if program is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


def test_the_search_finds_a_setting_without_asking_another_host(browser: Browser, address: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/index.html")
    box = page.get_by_role("textbox", name="Search")
    box.click()
    box.press_sequentially("mmr_pool_budgets")
    page.locator(".md-search-result__link").first.wait_for(timeout=DEADLINE_SECONDS * 1000)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert "mmr_pool_budgets" in page.locator(".md-search-result__list").inner_text()


def test_no_page_is_wider_than_a_phone(browser: Browser, address: str, site: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    for path in sorted(site.rglob("*.html")):
        page.goto(f"{address}/{path.relative_to(site)}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name
