"""Which picture stands at which sampled instant.

The rule: instants are t_k = k / sample_fps after the stream's first picture, and the frame at t_k is the picture on
screen then: the last one whose timestamp is at or before t_k. The last picture stays for its own duration.

The other rule, the first picture at or after t_k, gives the same frames for video of a steady rate, but where a
picture stays for long (a slide, a still scene recorded at a variable rate) it hands over one frame for the whole
stay, and a clip of 16 frames would stretch over any length of time. Here a picture that stays for 10 s is given ten
times at 1 fps, times are regular, and every clip spans 16 / sample_fps seconds. In the same way a sampling rate above
the video's own rate repeats pictures.

Times are exact fractions, so no instant is lost or doubled to rounding however long the stream.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, isfinite
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import SettingError
from keepsight.video.frames import Frame

PictureT = TypeVar("PictureT")

_LARGEST_DENOMINATOR = 1_000_000
# A resumed position went through a float, so an instant this small a part of a step earlier still counts.
_SLACK_STEPS = Fraction(1, 1000)


@dataclass(frozen=True)
class SampleGrid:
    """The instants at which a stream is sampled.

    Attributes:
        sample_fps: instants a second. A float near a simple fraction (1/3, 29.97, 30000/1001) is taken as that.
        start_seconds: instants before this are left out; those that stay keep their times.

    Raises:
        SettingError: the rate is not a number above 0, or the start is not a number of 0 or more.
    """

    sample_fps: float
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.sample_fps) and self.sample_fps > 0):
            raise SettingError(f"sample_fps is a number above 0, not {self.sample_fps}")
        if not (isfinite(self.start_seconds) and self.start_seconds >= 0):
            raise SettingError(f"start_seconds is a number of 0 or more, not {self.start_seconds}")

    @cached_property
    def rate(self) -> Fraction:
        """Instants a second, exactly."""
        return Fraction(self.sample_fps).limit_denominator(_LARGEST_DENOMINATOR) or Fraction(self.sample_fps)

    @cached_property
    def first_index(self) -> int:
        """Index of the first instant that is sampled."""
        return max(0, ceil(Fraction(self.start_seconds) * self.rate - _SLACK_STEPS))

    def instant(self, index: int) -> Fraction:
        """Time of the instant with this index, in seconds after the first picture."""
        return index / self.rate

    def index_from(self, seconds: Fraction) -> int:
        """Index of the first sampled instant at or after a time."""
        return max(self.first_index, ceil(seconds * self.rate))

    def next_instant_seconds(self, seconds: float) -> float:
        """Time one step after a frame's time: exactly that of the next frame where the time is on the grid."""
        index = floor(Fraction(seconds) * self.rate + Fraction(1, 2))
        if float(self.instant(index)) == seconds:
            return float(self.instant(index + 1))
        return seconds + float(1 / self.rate)


@dataclass(frozen=True)
class TimedPicture(Generic[PictureT]):
    """A decoded picture on the stream's clock.

    Attributes:
        start: seconds after the first picture at which it comes on screen.
        duration: seconds it stays if nothing follows, above 0.
        picture: the picture itself.
    """

    start: Fraction
    duration: Fraction
    picture: PictureT


def on_screen(pictures: Iterable[TimedPicture[PictureT]], grid: SampleGrid) -> Iterator[tuple[Fraction, PictureT]]:
    """The picture on screen at each instant of a grid, as soon as the picture that follows it is known.

    Args:
        pictures: in order of `start`, which may repeat (the later one is then on screen) but not run backwards.
        grid: the instants.

    Returns:
        Pairs of an instant in seconds and its picture.
    """
    shown: TimedPicture[PictureT] | None = None
    next_index = grid.first_index
    for picture in pictures:
        if shown is not None:
            stop = grid.index_from(picture.start)
            for index in range(next_index, stop):
                yield grid.instant(index), shown.picture
            next_index = stop
        shown = picture
    if shown is not None:
        for index in range(next_index, grid.index_from(shown.start + shown.duration)):
            yield grid.instant(index), shown.picture


def frames_on_screen(
    pictures: Iterable[TimedPicture[PictureT]], grid: SampleGrid, convert: Callable[[PictureT], NDArray[np.uint8]]
) -> Iterator[Frame]:
    """Frames of `on_screen`; a picture that stays over several instants is converted once, and its frames share it.

    Args:
        pictures: as for `on_screen`.
        grid: the instants.
        convert: makes uint8 RGB `[height, width, 3]` of a picture.
    """
    picture: PictureT | None = None
    for instant, shown in on_screen(pictures, grid):
        if shown is not picture:
            picture, image = shown, convert(shown)
        yield Frame(image, float(instant))
