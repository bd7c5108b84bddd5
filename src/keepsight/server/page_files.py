"""The page's built files: what there is, what it is, and what it was built from."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class PageFile:
    """One built file.

    Attributes:
        content: all of it.
        media_type: what it is.
    """

    content: bytes
    media_type: str


@dataclass(frozen=True)
class BuiltPage:
    """All that `npm run build` in `web/` wrote.

    Attributes:
        index: the page itself, which names its assets.
        assets: by name; each name holds a hash of the content, so that it may be kept for ever.
        source_hash: SHA-256 of the sources that it was built from, as `web/build.mjs` reckons it.
    """

    index: PageFile
    assets: dict[str, PageFile]
    source_hash: str


@cache
def built_page() -> BuiltPage:
    """The page that is shipped; it cannot change while the server runs, so it is read once."""
    folder = files("keepsight.server").joinpath("page")
    build = json.loads(folder.joinpath("build.json").read_text(encoding="utf-8"))

    def read(name: str) -> PageFile:
        return PageFile(folder.joinpath(name).read_bytes(), _MEDIA_TYPES[PurePosixPath(name).suffix])

    return BuiltPage(read("index.html"), {name: read(name) for name in build["assets"]}, build["source_hash"])
