"""What tests of several modules share: a stand-in model, small videos, and a place for journals."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fake_model import FakeModel
from hypothesis import settings

from keepsight.journal import Journal

MakeVideo = Callable[..., Path]

# A busy machine is slow, not wrong.
settings.register_profile("keepsight", deadline=None)
settings.load_profile("keepsight")


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


def write_video(path: Path, num_pictures: int, fps: int) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(num_pictures):
            picture = av.VideoFrame.from_ndarray(picture_of(number), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def picture_of(number: int) -> np.ndarray:
    """A picture that tells its number by colour and by where its bright square stands."""
    picture = np.full((48, 64, 3), (number * 7 % 256, number * 13 % 256, 60), np.uint8)
    left = number * 4 % 48
    picture[16:32, left : left + 16] = 255
    return picture
