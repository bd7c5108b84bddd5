"""Interface of an open source, and its implementation for arrays of pictures."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import NotAVideoError, VideoError
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen

Picture = tuple[float, NDArray[np.uint8]]
"""Display time in seconds, and image: uint8 RGB `[height, width, 3]`."""

_ONLY_PICTURE_SECONDS = Fraction(1)


class Reader(Protocol):
    """An open source, such as `VideoFile`. A live source is read once, starting now."""

    @property
    def info(self) -> VideoInfo:
        """Properties of its video."""

    @property
    def extent(self) -> PacketExtent | None:
        """Extent of the packets once the frames ended; None before, or if unknown."""

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Frames at instants k / sample_fps after the first picture, as they come: see `VideoFile.sampled_frames`.

        Times count from the container's zero, on one steady clock, whatever its timestamps do (`video.clock`).

        Raises:
            VideoError: reading ended before the source did.
        """

    def close(self) -> None:
        """Close the source. Idempotent."""


class ArrayReader:
    """`Reader` of an iterable of pictures, for one pass.

    Each frame is the picture on screen at its instant, as for a video file (`video.sampling`). The last picture stays
    for 1 / `average_fps` if given, else as long as the previous one, or a second if it is the only one.

    Args:
        pictures: in time order, at least one; consumed on demand. A generator is closed with the reader.
        duration_seconds: expected end of the pictures; None if unknown. A source that ends more than a clip earlier is
            incomplete.
        average_fps: average frame rate, or None.
        num_frames: number of pictures, or None.
        codec: their coding.
        is_live: whether the source is live, so unread time is lost.
        started_at: Unix time of time 0, or None.

    Raises:
        NotAVideoError: there is no picture, or the first is not uint8 RGB.
    """

    extent: PacketExtent | None = None  # `info` has all that is known of the end

    def __init__(
        self,
        pictures: Iterable[Picture],
        *,
        duration_seconds: float | None = None,
        average_fps: float | None = None,
        num_frames: int | None = None,
        codec: str = "rawvideo",
        is_live: bool = False,
        started_at: float | None = None,
    ) -> None:
        self._source = iter(pictures)
        first = next(self._source, None)
        if first is None:
            raise NotAVideoError("the source has no pictures")
        self._pictures: Iterator[Picture] | None = chain([first], self._source)
        height, width = _checked(first[1]).shape[:2]
        self.info = VideoInfo(
            width=width,
            height=height,
            duration_seconds=duration_seconds,
            average_fps=average_fps,
            codec=codec,
            rotation_degrees=0,
            num_frames=num_frames,
            is_live=is_live,
            started_at=started_at,
        )

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Frames at sampling instants (`Reader`).

        Raises:
            SettingError: an argument is out of range (raised at once).
            VideoError: the pictures were already read, the reader is closed, or times run back.
        """
        grid = SampleGrid(sample_fps, start_seconds)
        pictures, self._pictures = self._pictures, None
        if pictures is None:
            raise VideoError("the pictures can be read once; open the source again")
        return frames_on_screen(self._timed(pictures), grid, _checked)

    def close(self) -> None:
        """See `Reader`."""
        self._pictures = None
        if isinstance(self._source, Generator):
            with closing(self._source):
                pass

    def _timed(self, pictures: Iterable[Picture]) -> Iterator[TimedPicture[NDArray[np.uint8]]]:
        fps = self.info.average_fps
        stay = Fraction(1 / fps) if fps else _ONLY_PICTURE_SECONDS
        latest: Fraction | None = None
        for seconds, image in pictures:
            start = Fraction(seconds)
            if latest is not None and start < latest:
                raise VideoError(f"times of pictures must not run back, got {seconds:g} s after {float(latest):g} s")
            if latest is not None and start > latest and not fps:
                stay = start - latest
            yield TimedPicture(start, stay, image)
            latest = start


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Check a picture before making a frame of it."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise NotAVideoError(f"a picture must be uint8 [height, width, 3], got {image.dtype} {list(image.shape)}")
    return image
