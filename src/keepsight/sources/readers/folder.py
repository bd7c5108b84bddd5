"""A folder of pictures with times in their names, watched as one stream.

The picture at an instant is the last one taken at or before it, as in a video. It stays until the next one, but no
longer than `longest_hold_seconds`: at instants after that there is no frame, so a hole of a night is not filled with
the last picture before it. Without a setting that is `USUAL_STEPS_HELD` times the usual distance (the median) of the
pictures: one or two that are missing from a series are bridged, more is a hole. Frames keep their true times.

A picture that can't be read is passed over, and the one before stays on screen in its place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from os import PathLike
from pathlib import Path
from statistics import median_low

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from keepsight.errors import NotAVideoError, SettingError, SourceNotFoundError, VideoError
from keepsight.sources.readers.picture_files import Picture, PictureError, read_picture
from keepsight.sources.readers.picture_times import ALLOWED_NAMES, NameReader
from keepsight.video import Frame, VideoInfo
from keepsight.video.pictures import RgbConverter
from keepsight.video.sampling import SampleGrid

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Files that are taken for pictures; others in the folder are left alone, and so are hidden ones."""

USUAL_STEPS_HELD = 3
"""How many usual distances a picture stays at most."""

_ONLY_PICTURE_SECONDS = Fraction(1)
_FINEST_FRACTION = 1_000_000


@dataclass(frozen=True)
class _DatedPicture:
    """`seconds` is since 1970, or since the picture with number 0."""

    seconds: Fraction
    path: Path


@dataclass(frozen=True)
class _Stay:
    """Seconds that a picture stays on screen: usually, which is that of the last one, and at most."""

    usual: Fraction
    longest: Fraction


class PictureFolder:
    """A folder that can be sampled, more than once. Made by `open_folder`; has the methods of `reader.Reader`.

    Attributes:
        path: the folder.
        info: size and coding of its first picture; others may have other sizes.
        damaged: names of the pictures that could not be read so far.
    """

    def __init__(
        self, path: Path, pictures: Sequence[_DatedPicture], info: VideoInfo, stay: _Stay, damaged: set[str]
    ) -> None:
        self.path = path
        self.info = info
        self.damaged = damaged
        self._pictures = pictures
        self._stay = stay
        self._is_closed = False

    def close(self) -> None:
        """End every iteration at its next frame."""
        self._is_closed = True

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """Frames at the instants k / sample_fps after the first picture, where one is on screen.

        Args:
            sample_fps: frames a second; a picture is repeated while it stays on screen.
            start_seconds: leave out earlier instants.
            max_side_pixels: scale pictures down so that their longer side is at most this.

        Raises:
            SettingError: an argument is outside its range (at once).
            VideoError: the folder is closed.
        """
        if self._is_closed:
            raise VideoError(f"{self.path} is closed")
        return self._frames(SampleGrid(sample_fps, start_seconds), RgbConverter(max_side_pixels))

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Iterator[Frame]:
        shown: int | None = None
        for instant, place in self._on_screen(grid):
            if self._is_closed:
                raise VideoError(f"{self.path} is closed")
            if place != shown:
                shown, image = place, self._image(place, converter)
            if image is not None:
                yield Frame(image, float(instant))

    def _on_screen(self, grid: SampleGrid) -> Iterator[tuple[Fraction, int]]:
        """Pairs of an instant and the place of its picture; holes are leapt over, however long."""
        first = self._pictures[0].seconds
        for place, picture in enumerate(self._pictures):
            start = picture.seconds - first
            end = min(start + self._stay.longest, self._end_of(place) - first)
            for index in range(grid.index_from(start), grid.index_from(end)):
                yield grid.instant(index), place

    def _end_of(self, place: int) -> Fraction:
        if place + 1 < len(self._pictures):
            return self._pictures[place + 1].seconds
        return self._pictures[place].seconds + self._stay.usual

    def _image(self, place: int, converter: RgbConverter) -> NDArray[np.uint8] | None:
        """The picture at a place, or the last good one before it that would have stayed until then."""
        oldest = self._pictures[place].seconds - self._stay.longest
        while place >= 0 and self._pictures[place].seconds > oldest:
            path = self._pictures[place].path
            if path.name not in self.damaged:
                try:
                    return converter.convert(
                        VideoFrame.from_ndarray(read_picture(path, path.name).image, format="rgb24")
                    )
                except PictureError:
                    self.damaged.add(path.name)
            place -= 1
        return None


def open_folder(
    path: str | PathLike[str],
    *,
    frame_interval_seconds: float | None = None,
    longest_hold_seconds: float | None = None,
) -> PictureFolder:
    """Open a folder of pictures: list it, order it by time, and read the first picture.

    Pictures of the same time are kept in order of their names, and the last of them is the one on screen. Those before
    the first that can be read are left out, so that the stream begins with a picture. Pictures that are added later are
    not seen.

    Args:
        path: the folder; folders in it are left alone.
        frame_interval_seconds: for names with plain numbers: the distance of neighbouring numbers.
        longest_hold_seconds: how long a picture stays on screen at most; None takes a few usual distances.

    Raises:
        SettingError: a number is not above 0.
        SourceNotFoundError: there is no such folder.
        NotAVideoError: it can't be read, holds no picture that can be read, or one without a time in its name.
    """
    if longest_hold_seconds is not None and not 0 < longest_hold_seconds < float("inf"):
        raise SettingError(f"longest_hold_seconds is a number above 0, not {longest_hold_seconds}")
    folder, names = Path(path), NameReader(frame_interval_seconds)
    listed = _dated(folder, names)
    first, damaged = _first_readable(folder, listed)
    pictures = listed[len(damaged) :]
    stay = _stay(pictures, longest_hold_seconds)
    duration = pictures[-1].seconds - pictures[0].seconds + min(stay.usual, stay.longest)
    height, width, _ = first.image.shape
    info = VideoInfo(
        width=width,
        height=height,
        duration_seconds=float(duration),
        average_fps=float(len(pictures) / duration),
        codec=first.coding,
        rotation_degrees=0,
        num_frames=len(pictures),
        started_at=float(pictures[0].seconds) if names.has_dates else None,
    )
    return PictureFolder(folder, pictures, info, stay, set(damaged))


def _dated(folder: Path, names: NameReader) -> list[_DatedPicture]:
    """The folder's pictures, in order of their times."""
    if not folder.exists():
        raise SourceNotFoundError(f"no such folder: {folder}")
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.name[0] != "."]
        paths = sorted(path for path in paths if path.is_file())
    except OSError as error:
        raise NotAVideoError(f"{folder} can't be read as a folder: {error.strerror}") from error
    if not paths:
        raise NotAVideoError(f"{folder} holds no pictures; read are {', '.join(ENDINGS)}")
    dated = [(names.seconds(path.stem), path) for path in paths]
    timeless = [path.name for seconds, path in dated if seconds is None]
    if timeless:
        raise NotAVideoError(
            f"{folder}: {timeless[0]!r} has no time in its name ({len(timeless)} of {len(paths)} pictures have none); "
            f"allowed are {ALLOWED_NAMES}"
        )
    pictures = [_DatedPicture(seconds, path) for seconds, path in dated if seconds is not None]
    return sorted(pictures, key=lambda picture: picture.seconds)


def _first_readable(folder: Path, pictures: Sequence[_DatedPicture]) -> tuple[Picture, list[str]]:
    """The first picture that can be read, and the names of those before it."""
    damaged: list[str] = []
    for dated in pictures:
        try:
            return read_picture(dated.path, dated.path.name), damaged
        except PictureError:
            damaged.append(dated.path.name)
    raise NotAVideoError(f"{folder} holds no picture that can be read, but {len(damaged)} that are damaged")


def _stay(pictures: Sequence[_DatedPicture], longest_hold_seconds: float | None) -> _Stay:
    steps = [later.seconds - earlier.seconds for earlier, later in pairwise(pictures)]
    usual = median_low([step for step in steps if step] or [_ONLY_PICTURE_SECONDS])
    if longest_hold_seconds is None:
        return _Stay(usual, usual * USUAL_STEPS_HELD)
    longest = Fraction(longest_hold_seconds).limit_denominator(_FINEST_FRACTION)
    return _Stay(usual, longest or Fraction(longest_hold_seconds))
