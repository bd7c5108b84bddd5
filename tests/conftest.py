"""What tests of several modules share: a stand-in model, small videos, and a place for journals."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from keepsight.journal import Journal
from tests.fake_model import FakeModel
from tests.small_videos import MakeVideo, write_video

# A busy machine is slow, not wrong.
settings.register_profile("keepsight", deadline=None)
settings.load_profile("keepsight")


@pytest.fixture(autouse=True)
def kept_logging() -> Iterator[None]:
    """What a test sets of logging is set back: a command that serves sets its level, for whatever test comes next."""
    root, ours = logging.getLogger(), logging.getLogger("keepsight")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def fake_model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.create(tmp_path / "journal.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    """Writes a small MPEG-4 video whose every picture differs; each (seconds, fps) once per test run."""
    folder = tmp_path_factory.mktemp("videos")

    def make(seconds: int = 10, fps: int = 8) -> Path:
        path = folder / f"{seconds}s-{fps}fps.mp4"
        if not path.exists():
            write_video(path, seconds * fps, fps)
        return path

    return make
