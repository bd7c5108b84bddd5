#!/usr/bin/env python3
"""Writes the pages of docs/reference that are made from the code: `make reference`.

With `--check`, as in `make check`, nothing is written; a page that the code no longer gives ends it with exit code 1.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from reference.command_line import command_line_page
from reference.http_routes import http_routes_page
from reference.settings import settings_page

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "command-line.md": command_line_page,
    "http.md": http_routes_page,
    "settings.md": settings_page,
}


def main() -> int:
    """Write or compare every page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="Compare instead of writing.")
    is_check = parser.parse_args().check
    stale = []
    for name, make in PAGES.items():
        path, text = FOLDER / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not is_check:
                path.write_text(text, encoding="utf-8")
    if stale and is_check:
        sys.stderr.write(f"docs/reference/{stale[0]} no longer says what the code does; run: make reference\n")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
