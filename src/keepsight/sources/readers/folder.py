"""A folder of images with times in their names, watched as one stream.

The picture at an instant is the last one taken at or before it, as in a video. It stays until the next, but at most
`longest_hold_seconds`; later instants have no frame, so a night-long gap is not filled with the last picture. The
default is `USUAL_STEPS_HELD` times the median distance: one or two missing pictures are bridged, more is a gap. Frames
keep their true times.

An unreadable picture is skipped, and the previous one stays on screen.
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
from keepsight.incoming import one_line
from keepsight.sources.readers.picture_files import Picture, PictureError, read_picture
from keepsight.sources.readers.picture_order import DatedPicture, in_order
from keepsight.sources.readers.picture_times import ALLOWED_NAMES, NameReader
from keepsight.video import Frame, VideoInfo
from keepsight.video.containers import head_of, is_animated_webp
from keepsight.video.packet_times import PacketExtent
from keepsight.video.pictures import RgbConverter
from keepsight.video.sampling import NO_PICTURE, Break, SampleGrid, TimedPicture, on_screen

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""File extensions of images; other files and hidden files are ignored."""

_VIDEO_ENDINGS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".flv", ".wmv", ".3gp")
)

USUAL_STEPS_HELD = 3
"""How many median distances a picture may stay."""

_ONLY_PICTURE_SECONDS = Fraction(1)
_FINEST_FRACTION = 1_000_000


@dataclass(frozen=True)
class _Stay:
    """How long a picture stays: usually (used for the last one), and at most."""

    usual: Fraction
    longest: Fraction


class PictureFolder:
    """A folder that can be sampled repeatedly. Made by `open_folder`; has the methods of `reader.Reader`.

    Attributes:
        path: the folder.
        info: size and coding of its first picture; others may have other sizes.
        damaged: names of unreadable pictures so far.
    """

    extent: PacketExtent | None = None  # there are no packets with a duration to compare with

    def __init__(
        self, path: Path, pictures: Sequence[DatedPicture], info: VideoInfo, stay: _Stay, damaged: set[str]
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

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Frames at instants k / sample_fps after the first picture, where a picture is on screen.

        Args:
            sample_fps: frames per second; a picture repeats while it stays on screen.
            start_seconds: skip earlier instants.

        Raises:
            SettingError: an argument is out of range (raised at once).
            VideoError: the folder is closed.
        """
        if self._is_closed:
            raise VideoError(f"{self.path} is closed")
        return self._frames(SampleGrid(sample_fps, start_seconds), RgbConverter())

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Iterator[Frame]:
        shown: int | None = None
        for sample in on_screen(self._timed_pictures(), grid):
            if self._is_closed:
                raise VideoError(f"{self.path} is closed")
            if sample.picture != shown:
                shown, image = sample.picture, self._image(sample.picture, converter)
            if image is not None:
                yield Frame(image, float(sample.instant), gap_before=sample.gap_before)

    def _timed_pictures(self) -> Iterator[TimedPicture[int]]:
        """Indices of the pictures with times and the breaks before them."""
        first = self._pictures[0].seconds
        hole_before: Break | None = None
        for place, picture in enumerate(self._pictures):
            start = picture.seconds - first
            stay = min(self._stay.longest, self._end_of(place) - picture.seconds)
            yield TimedPicture(start, stay, place, hole_before)
            is_hole = self._end_of(place) - first > start + stay
            hole_before = Break(start + stay, self._end_of(place) - first, NO_PICTURE) if is_hole else None

    def _end_of(self, place: int) -> Fraction:
        if place + 1 < len(self._pictures):
            return self._pictures[place + 1].seconds
        return self._pictures[place].seconds + self._stay.usual

    def _image(self, place: int, converter: RgbConverter) -> NDArray[np.uint8] | None:
        """Picture at an index, or the last readable one before it that would still be on screen."""
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
    """Open a folder of images: list, order by time, and read the first.

    Pictures with equal times are ordered by name, and the last of them is on screen. Unreadable ones at the start are
    skipped, so the stream starts with a picture. Pictures added later are not seen.

    Args:
        path: the folder; subfolders are ignored.
        frame_interval_seconds: for names with plain numbers: time between consecutive numbers.
        longest_hold_seconds: maximum time on screen; None for a few median distances.

    Raises:
        SettingError: a number is not above 0.
        SourceNotFoundError: no such folder.
        NotAVideoError: it is unreadable, has no readable picture, or one without a time in its name.
    """
    if longest_hold_seconds is not None and not 0 < longest_hold_seconds < float("inf"):
        raise SettingError(f"longest_hold_seconds must be a number above 0, got {longest_hold_seconds}")
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


def list_pictures(path: str | PathLike[str]) -> list[tuple[str, str]]:
    """Name and size of each picture in a folder, in time order; opens none.

    Raises:
        SourceNotFoundError, NotAVideoError: as `open_folder`.
    """
    try:
        return [(one.path.name, str(one.path.stat().st_size)) for one in _dated(Path(path), NameReader())]
    except OSError as error:
        raise NotAVideoError(f"{path} can't be read as a folder: {error.strerror}") from error


def _dated(folder: Path, names: NameReader) -> list[DatedPicture]:
    """Pictures of a folder, in time order."""
    if not folder.exists():
        raise SourceNotFoundError(f"no such folder: {folder}")
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.name[0] != "."]
        paths = sorted(path for path in paths if path.is_file())
    except OSError as error:
        raise NotAVideoError(f"{folder} can't be read as a folder: {error.strerror}") from error
    if not paths and (videos := _videos_in(folder)):
        shown = ", ".join(videos[:3]) + (", ..." if len(videos) > 3 else "")
        raise NotAVideoError(f"{folder} must be a folder of images, got videos ({shown}); give the videos themselves")
    if not paths:
        raise NotAVideoError(f"{folder} has no images; supported are {', '.join(ENDINGS)}")
    animated = next((path.name for path in paths if is_animated_webp(head_of(path))), None)
    if animated is not None:
        raise NotAVideoError(f"{folder}: {animated!r} is an animated WebP, which is not supported; remove it")
    named = [(names.times(path.stem), path) for path in paths]
    timeless = [path.name for times, path in named if not times]
    if timeless:
        raise NotAVideoError(
            f"{folder}: {timeless[0]!r} has no time in its name ({len(timeless)} of {len(paths)} images have none); "
            f"name images {ALLOWED_NAMES}"
        )
    return in_order(folder, named, names)


def _videos_in(folder: Path) -> list[str]:
    """Video files in a folder, by extension."""
    return sorted(one_line(path.name) for path in folder.iterdir() if path.suffix.lower() in _VIDEO_ENDINGS)


def _first_readable(folder: Path, pictures: Sequence[DatedPicture]) -> tuple[Picture, list[str]]:
    """First readable picture, and the names of unreadable ones before it."""
    damaged: list[str] = []
    for dated in pictures:
        try:
            return read_picture(dated.path, dated.path.name), damaged
        except PictureError:
            damaged.append(dated.path.name)
    raise NotAVideoError(f"{folder} has no readable image ({len(damaged)} are damaged)")


def _stay(pictures: Sequence[DatedPicture], longest_hold_seconds: float | None) -> _Stay:
    steps = [later.seconds - earlier.seconds for earlier, later in pairwise(pictures)]
    usual = median_low([step for step in steps if step] or [_ONLY_PICTURE_SECONDS])
    if longest_hold_seconds is None:
        return _Stay(usual, usual * USUAL_STEPS_HELD)
    longest = Fraction(longest_hold_seconds).limit_denominator(_FINEST_FRACTION)
    return _Stay(usual, longest or Fraction(longest_hold_seconds))
