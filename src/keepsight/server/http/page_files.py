"""The page's built files and the hash of their sources."""

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
    """A built file.

    Attributes:
        content: file content.
        media_type: HTTP media type.
    """

    content: bytes
    media_type: str


@dataclass(frozen=True)
class BuiltPage:
    """Output of `npm run build` in `web/`.

    Attributes:
        index: the HTML document.
        assets: assets by name; names contain a content hash, so browsers may cache them forever.
        source_hash: SHA-256 of the sources, as computed by `web/build.mjs`.
    """

    index: PageFile
    assets: dict[str, PageFile]
    source_hash: str


@cache
def built_page() -> BuiltPage:
    """The shipped page, read once since it cannot change while the server runs."""
    folder = files("keepsight.server").joinpath("page")
    build = json.loads(folder.joinpath("build.json").read_text(encoding="utf-8"))

    def read(name: str) -> PageFile:
        return PageFile(folder.joinpath(name).read_bytes(), _MEDIA_TYPES[PurePosixPath(name).suffix])

    return BuiltPage(read("index.html"), {name: read(name) for name in build["assets"]}, build["source_hash"])
