"""Watching a video file; and what every source of media shares.

Example:
    with open_video("kitchen.mp4") as video:
        for frame in video.sampled_frames(sample_fps=0.5):
            ...
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keepsight.errors import NotAVideoError, TruncatedVideoError, VideoError
from keepsight.spans import format_clock
from keepsight.video.containers import codec_name, open_container, video_stream
from keepsight.video.extent import FileExtent
from keepsight.video.frames import Frame
from keepsight.video.pictures import RgbConverter, display_matrix, rotation_degrees
from keepsight.video.reading import PictureReader
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen
from keepsight.video.wording import one_line

_CONTAINER_TIME_BASE = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its pictures.

    Attributes:
        width: pixels across, after rotation.
        height: pixels down, after rotation.
        duration_seconds: length of the stream of pictures, or of the whole file where only that is known, or None.
        average_fps: pictures a second on average, or None.
        codec: FFmpeg's name of the coding, such as `h264`.
        rotation_degrees: clockwise turn that is applied to the stored pictures: 0, 90, 180 or 270.
        num_frames: pictures in the file, or None where the file doesn't say.
        is_live: whether pictures come as they happen, so that time that is not read is lost.
        started_at: seconds since 1970 (UTC) of the first picture, where the source itself says so, or None.
    """

    width: int
    height: int
    duration_seconds: float | None
    average_fps: float | None
    codec: str
    rotation_degrees: int
    num_frames: int | None
    is_live: bool = False
    started_at: float | None = None


class Reading(Protocol):
    """One pass over the pictures of something that is open."""

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        """Pictures from the first on, with their times; at least those that the pass's grid needs."""

    def check_end(self) -> None:
        """Say why the pictures came to their end, where it is not the source's own.

        Raises:
            VideoError: they end early.
        """


class Media(ABC):
    """Media that can be sampled. A context manager.

    Attributes:
        name: what errors call it; holds no secret.
        info: what it says of its pictures.
    """

    def __init__(self, name: str, info: VideoInfo) -> None:
        self.name = name
        self.info = info
        self._readings = ExitStack()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every iteration over the source and let go of it."""
        self._is_closed = True
        self._readings.close()

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """Frames at the instants k / sample_fps after the first picture: the picture on screen then, upright, RGB.

        A picture that stays on screen over several instants is given at each, so times are regular (the rule and its
        reason are in `keepsight.video.sampling`). Frames come as the source is decoded.

        Args:
            sample_fps: frames a second; above the video's own rate pictures repeat.
            start_seconds: leave out earlier instants, to take a stream up again; the times of the others are those
                they have without it.
            max_side_pixels: scale pictures down so that their longer side is at most this; None keeps their size.

        Raises:
            SettingError: an argument is outside its range (at once).
            VideoError: the source is closed (at once).
            SourceNotFoundError, NotAVideoError: the source is gone or has changed since it was opened.
            TruncatedVideoError: the pictures end before the source says so; after every frame before that.
        """
        if self._is_closed:
            raise VideoError(f"{self.name} is closed")
        grid = SampleGrid(sample_fps, start_seconds)
        frames = self._frames(grid, RgbConverter(max_side_pixels))
        self._readings.callback(frames.close)
        return frames

    @abstractmethod
    def _read(self, grid: SampleGrid) -> AbstractContextManager[Reading]:
        """Open the source, from its first picture on."""

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Generator[Frame, None, None]:
        with self._read(grid) as reading:
            yield from frames_on_screen(reading.pictures(), grid, converter.convert)
            reading.check_end()

    def early_end(self, reached_seconds: float) -> TruncatedVideoError:
        """The error for pictures that end before the source says."""
        whole = self.info.duration_seconds
        of_whole = "" if whole is None or whole <= reached_seconds else f" of {format_clock(whole)}"
        reached = f"{format_clock(reached_seconds)}{of_whole} ({reached_seconds:.3f} s)"
        return TruncatedVideoError(f"{self.name} is cut off or damaged: its pictures end at {reached}")


class VideoFile(Media):
    """A video file that can be sampled, more than once and at several rates. Made by `open_video`.

    Attributes:
        path: the file.
        info: what it says of its pictures.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        super().__init__(one_line(path), info)
        self.path = path

    @contextmanager
    def _read(self, grid: SampleGrid) -> Iterator[Reading]:
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            extent = FileExtent.of(self.path)
            yield _FileReading(self, PictureReader(container, stream, grid, is_cut_off=extent.is_cut_off), extent)


class _FileReading:
    def __init__(self, file: VideoFile, reader: PictureReader, extent: FileExtent) -> None:
        self._file = file
        self._reader = reader
        self._extent = extent

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        return self._reader.pictures()

    def check_end(self) -> None:
        if self._reader.ends_early or self._extent.lacks_bytes():
            raise self._file.early_end(float(self._reader.end_seconds))


def open_video(path: str | PathLike[str]) -> VideoFile:
    """Open a video file and read what it is; decodes its first picture. Use it as a context manager.

    Raises:
        SourceNotFoundError: there is no such file.
        NotAVideoError: it is a folder, empty, no media, or of a format or codec that is not read.
        NoVideoStreamError: it is media without pictures.
        TruncatedVideoError: it is cut off before its first picture.
    """
    file_path = Path(path)
    with open_container(file_path) as container:
        stream = video_stream(container, file_path)
        is_cut_off = FileExtent.of(file_path).is_cut_off
        first = next(PictureReader(container, stream, None, is_cut_off=is_cut_off).pictures(), None)
        if first is None and is_cut_off:
            raise TruncatedVideoError(f"{one_line(file_path)} is cut off before its first picture")
        if first is None:
            raise NotAVideoError(f"{one_line(file_path)} holds no picture that can be decoded")
        return VideoFile(file_path, describe(container, stream, first.picture))


def describe(container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
    """What a container and its first picture say."""
    matrix = display_matrix(first)
    is_on_its_side = matrix[0] == 0
    return VideoInfo(
        width=first.height if is_on_its_side else first.width,
        height=first.width if is_on_its_side else first.height,
        duration_seconds=_duration_seconds(container, stream),
        average_fps=float(stream.average_rate) if stream.average_rate else None,
        codec=codec_name(stream),
        rotation_degrees=rotation_degrees(matrix),
        num_frames=stream.frames or None,
    )


def _duration_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and container.duration > 0:
        return float(container.duration * _CONTAINER_TIME_BASE)
    return None
