"""Small videos whose every picture differs from the others."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray


class MakeVideo(Protocol):
    """The fixture `make_video`: path of a small MPEG-4 video, which is written once per test run."""

    def __call__(self, seconds: int = 10, fps: int = 8) -> Path: ...


def write_video(path: Path, num_pictures: int, fps: int) -> None:
    write_pictures(path, [picture_of(number) for number in range(num_pictures)], fps)


def write_pictures(path: Path, pictures: Sequence[NDArray[np.uint8]], fps: int) -> None:
    """A video of pictures of 64 x 48 pixels."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def picture_of(number: int) -> NDArray[np.uint8]:
    """A picture that tells its number by colour and by where its bright square stands."""
    picture = np.full((48, 64, 3), (number * 7 % 256, number * 13 % 256, 60), np.uint8)
    left = number * 4 % 48
    picture[16:32, left : left + 16] = 255
    return picture
