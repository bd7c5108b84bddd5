"""Which picture is shown at each sampling instant.

Instants are t_k = origin + k / sample_fps, where the origin is the time of the stream's first picture; the frame at t_k
is the picture on screen then: the last one with a timestamp at or before t_k. The last picture stays for its own
duration. Times count from the container's zero (`clock.py`), so the origin need not be 0.

The alternative, the first picture at or after t_k, gives the same frames at a constant rate. But where a picture stays
for long (a slide, a still scene at variable rate) it yields one frame for the whole stay, and a clip of 16 frames could
span any length of time. Here a picture that stays for 10 s is yielded ten times at 1 fps, times are regular, and every
clip spans 16 / sample_fps seconds. A sampling rate above the video's own repeats pictures in the same way.

Times are exact fractions, so rounding neither drops nor doubles an instant.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import ceil, isfinite
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import SettingError
from keepsight.video.frames import Frame

PictureT = TypeVar("PictureT")

_LARGEST_DENOMINATOR = 1_000_000
# A resumed position went through a float, so an instant earlier by this part of a step still counts.
_SLACK_STEPS = Fraction(1, 1000)
_ORIGINS_PER_SECOND = 1000

NO_PICTURE = "there are no pictures of this time"
"""Reason of a gap in a sequence of pictures."""


@dataclass(frozen=True)
class SampleGrid:
    """Sampling instants of a stream.

    Attributes:
        sample_fps: instants per second. A float near a simple fraction (1/3, 29.97, 30000/1001) is taken as that
            fraction.
        start_seconds: skip earlier instants; the others keep their times.
        origin: time of instant 0 in seconds.

    Raises:
        SettingError: the rate is not above 0, or the start is below 0.
    """

    sample_fps: float
    start_seconds: float = 0.0
    origin: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if not (isfinite(self.sample_fps) and self.sample_fps > 0):
            raise SettingError(f"sample_fps must be a number above 0, got {self.sample_fps}")
        if not (isfinite(self.start_seconds) and self.start_seconds >= 0):
            raise SettingError(f"start_seconds must be a number of at least 0, got {self.start_seconds}")

    @cached_property
    def rate(self) -> Fraction:
        """Instants per second, exactly."""
        return Fraction(self.sample_fps).limit_denominator(_LARGEST_DENOMINATOR) or Fraction(self.sample_fps)

    def anchored(self, first_picture_seconds: Fraction) -> "SampleGrid":
        """Grid whose instant 0 is the first picture, rounded up to a whole millisecond.

        Rounded, so that an instant survives conversion to float; up, so that the picture is on screen then.
        """
        origin = Fraction(ceil(first_picture_seconds * _ORIGINS_PER_SECOND), _ORIGINS_PER_SECOND)
        return replace(self, origin=origin)

    @cached_property
    def first_index(self) -> int:
        """Index of the first sampled instant."""
        return max(0, ceil((Fraction(self.start_seconds) - self.origin) * self.rate - _SLACK_STEPS))

    def instant(self, index: int) -> Fraction:
        """Time of an instant in seconds."""
        return self.origin + index / self.rate

    def index_at(self, seconds: Fraction) -> int:
        """Index of the first instant at or after a time, sampled or not."""
        return max(0, ceil((seconds - self.origin) * self.rate))

    def index_from(self, seconds: Fraction) -> int:
        """Index of the first sampled instant at or after a time."""
        return max(self.first_index, self.index_at(seconds))

    def next_instant_seconds(self, seconds: float) -> float:
        """Time one step after a frame's time; exactly the next frame's if the time is on a grid."""
        per_second = _ORIGINS_PER_SECOND * self.rate.numerator
        exact = Fraction(round(Fraction(seconds) * per_second), per_second)
        return float(exact + 1 / self.rate) if float(exact) == seconds else seconds + float(1 / self.rate)


@dataclass(frozen=True)
class Break:
    """Break between two consecutive pictures of a stream.

    Attributes:
        last_seconds: end of the previous picture.
        next_seconds: start of the next picture, whether decoded or skipped.
        reason: one-line reason.
    """

    last_seconds: Fraction
    next_seconds: Fraction
    reason: str


@dataclass(frozen=True)
class TimedPicture(Generic[PictureT]):
    """A decoded picture on the stream's clock.

    Attributes:
        start: display start, in seconds since the container's zero.
        duration: display duration if nothing follows, above 0.
        picture: the picture.
        break_before: break before it, or None.
    """

    start: Fraction
    duration: Fraction
    picture: PictureT
    break_before: Break | None = None


@dataclass(frozen=True)
class Sample(Generic[PictureT]):
    """Picture on screen at an instant.

    Attributes:
        instant: seconds since the container's zero.
        picture: the picture.
        gap_before: one-line reason of a gap before this instant; empty without a gap.
    """

    instant: Fraction
    picture: PictureT
    gap_before: str = ""


def on_screen(pictures: Iterable[TimedPicture[PictureT]], grid: SampleGrid) -> Iterator[Sample[PictureT]]:
    """Picture on screen at each instant of a grid, yielded once the next picture is known.

    Args:
        pictures: in order of `start`, which may repeat (the later one is then on screen) but not run backwards.
        grid: sampling instants; instant 0 is moved to the first picture.
    """
    shown: TimedPicture[PictureT] | None = None
    indices = range(0)
    gap = ""
    for picture in pictures:
        if shown is None:
            grid = grid.anchored(picture.start)
        else:
            at_break = picture.break_before
            end = picture.start if at_break is None else min(picture.start, at_break.last_seconds)
            indices = range(indices.stop, max(indices.stop, grid.index_at(end)))
            yield from _samples(grid, shown.picture, indices, gap)
            gap = "" if indices else gap
            if at_break is not None:
                indices = range(max(indices.stop, grid.index_at(picture.start)))
                # Instants in between were not requested: their sampler reported the gap.
                is_reported = grid.index_at(at_break.next_seconds) < indices.stop
                gap = "" if is_reported else gap or at_break.reason
        shown = picture
    if shown is not None:
        end_index = grid.index_at(shown.start + shown.duration)
        yield from _samples(grid, shown.picture, range(indices.stop, end_index), gap)


def _samples(grid: SampleGrid, picture: PictureT, indices: range, gap_before: str) -> Iterator[Sample[PictureT]]:
    """Samples at the sampled indices; the gap precedes the first index, sampled or not."""
    for index in range(max(indices.start, grid.first_index), indices.stop):
        yield Sample(grid.instant(index), picture, gap_before if index == indices.start else "")


def frames_on_screen(
    pictures: Iterable[TimedPicture[PictureT]], grid: SampleGrid, convert: Callable[[PictureT], NDArray[np.uint8]]
) -> Iterator[Frame]:
    """Frames of `on_screen`; a picture over several instants is converted once and shared.

    Args:
        pictures: as for `on_screen`.
        grid: sampling instants.
        convert: converts a picture to uint8 RGB `[height, width, 3]`.
    """
    picture: PictureT | None = None
    for sample in on_screen(pictures, grid):
        if sample.picture is not picture:
            picture, image = sample.picture, convert(sample.picture)
        yield Frame(image, float(sample.instant), gap_before=sample.gap_before)
