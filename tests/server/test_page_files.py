"""The page as it is shipped: built from the sources that are here, small, cached for ever, and strict."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from keepsight.server.http.page_files import built_page
from tests.server.served import Client

WEB = Path(__file__).parents[2] / "web"
MOST_BYTES = 300_000


def source_hash() -> str:
    """As `web/build.mjs` reckons it."""
    paths = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    paths += [WEB / name for name in ("build.mjs", "package.json", "package-lock.json", "tsconfig.json")]
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(WEB).as_posix() for path in paths):
        digest.update(name.encode() + b"\0" + (WEB / name).read_bytes() + b"\0")
    return digest.hexdigest()


def test_the_page_is_built_from_these_sources() -> None:
    assert built_page().source_hash == source_hash(), "run `npm ci && npm run build` in web/"


def test_the_page_is_small() -> None:
    page = built_page()
    sent = [page.index.content, *(file.content for file in page.assets.values())]
    assert sum(len(gzip.compress(content)) for content in sent) < MOST_BYTES


def test_the_page_names_only_what_there_is_and_nothing_inline(client: Client) -> None:
    page = client("GET", "/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    text = page.content.decode()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]* src=)", text)
    named = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(named) == 3
    for path in named:
        assert client("GET", path).status == 200
    assert "https://" not in text


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        ("js", "text/javascript; charset=utf-8"),
        ("css", "text/css; charset=utf-8"),
        ("svg", "image/svg+xml"),
        ("woff2", "font/woff2"),
        ("txt", "text/plain; charset=utf-8"),
    ],
)
def test_an_asset_is_kept_for_ever_under_the_hash_of_its_content(client: Client, suffix: str, media_type: str) -> None:
    (name,) = [name for name in built_page().assets if name.endswith(f".{suffix}")]
    reply = client("GET", f"/assets/{name}")
    assert reply.headers["content-type"] == media_type
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert hashlib.sha256(reply.content).hexdigest()[:12] in name


@pytest.mark.parametrize("name", ["build.json", "..%2findex.html", "%2e%2e%2fapp.py", "app.js", "%00", "."])
def test_nothing_else_is_an_asset(client: Client, name: str) -> None:
    assert client("GET", f"/assets/{name}").status == 404


def test_what_the_page_is_told_of_the_server(client: Client) -> None:
    about = client("GET", "/v1/about").data
    assert about["model"]["name"] == "fake"
    assert not about["model"]["knows_toy_world_only"]
