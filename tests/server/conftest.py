"""A server that runs, for tests that need no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from keepsight.server.settings import ServerSettings
from tests.server.paged import launch
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo


@pytest.fixture
def server_settings(tmp_path: Path, make_video: MakeVideo) -> ServerSettings:
    """On a free port; the test videos may be watched, all else may not."""
    return ServerSettings(tmp_path / "journal.db", roots=(make_video(4).parent,), port=0)


@pytest.fixture
def served(server_settings: ServerSettings) -> Iterator[Served]:
    with serve(server_settings, ServedModel()) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()
