"""An MkDocs hook: files and notebooks outside docs/ become pages of the site, and links between all are led there.

So README.md is the first page, on the site as in the repository, and each document links to files as they lie.
"""

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples/index.md",
    "examples/watch_and_ask.ipynb": "examples/watch_and_ask.md",
    "examples/compare_methods.ipynb": "examples/compare_methods.md",
    "src/keepsight/models/tiny/README.md": "models/tiny.md",
    "src/keepsight/models/tiny_qwen/README.md": "models/tiny-qwen.md",
    "training/variants/README.md": "models/variants.md",
    "LICENSE": "LICENSE.txt",
    "NOTICE": "NOTICE.txt",
}
"""File of the repository -> file of the site."""

_IN_REPOSITORY = {site: repository for repository, site in PAGES.items()}
_FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s]+)(?=\))")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/."""
    root = Path(config.config_file_path).parent
    for repository, site in PAGES.items():
        if repository.endswith(".ipynb"):
            _add_notebook(root / repository, site, files, config)
        else:
            files.append(File.generated(config, site, abs_src_path=str(root / repository)))
    return files


def _add_notebook(path: Path, site: str, files: Files, config: MkDocsConfig) -> None:
    """A page of a notebook's cells and stored outputs, with its pictures beside it; nothing is run."""
    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]
    text, resources = exporter.from_filename(str(path), resources={"unique_key": path.stem})
    files.append(File.generated(config, site, content=text))
    for name, picture in resources["outputs"].items():
        files.append(File.generated(config, posixpath.join(posixpath.dirname(site), name), content=picture))


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that are right in the repository to where the same file is on the site."""
    del config
    site = page.file.src_uri
    here = _IN_REPOSITORY.get(site, f"docs/{site}")

    def led(match: re.Match[str]) -> str:
        before, target = match.groups()
        url = urlsplit(target)
        if url.scheme or url.netloc or not url.path:
            return match[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(here), url.path))
        found = PAGES.get(there, there.removeprefix("docs/"))
        if files.get_file_from_path(found) is None:
            raise PluginError(f"{here} links to {target}, which is no page of the site; add it to PAGES in this hook")
        relative = posixpath.relpath(found, posixpath.dirname(site) or ".")
        return before + relative + (f"#{url.fragment}" if url.fragment else "")

    parts, last = [], 0
    for fence in _FENCED.finditer(markdown):
        parts += [_LINK.sub(led, markdown[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*parts, _LINK.sub(led, markdown[last:])])
