"""Video files, and the base of all media sources.

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
from keepsight.incoming import one_line
from keepsight.spans import format_clock
from keepsight.video.colour import matrix_of
from keepsight.video.containers import codec_name, offered_streams, open_container, video_stream
from keepsight.video.frames import Frame
from keepsight.video.geometry import display_matrix, displayed_size, rotation_degrees
from keepsight.video.packet_times import PacketExtent
from keepsight.video.pictures import RgbConverter
from keepsight.video.reading import PictureReader, clock_settings
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen
from keepsight.video.structure import FileExtent

_CONTAINER_TIME_BASE = Fraction(1, 1_000_000)
_MOST_NAMED = 32  # of the video streams of a container
_MATROSKA = "matroska,webm"
_RAW_FORMATS = frozenset({"h264", "hevc", "mpegvideo", "m4v", "obu", "av1", "mjpeg"})
"""Formats without timestamps, whose duration FFmpeg estimates from the bit rate."""


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a source's video.

    Attributes:
        width: display width in pixels, after rotation and with square pixels.
        height: display height in pixels.
        duration_seconds: end of the video stream from the container's zero, or of the whole file; None if unknown, or
            only estimated from the bit rate.
        average_fps: average frame rate, or None.
        codec: FFmpeg's codec name, such as `h264`.
        rotation_degrees: clockwise display rotation: 0, 90, 180 or 270.
        num_frames: number of pictures in the file, or None if not stated.
        is_live: whether the source is live, so unread time is lost.
        started_at: Unix time of the first picture if the source states it, or None.
        video_stream: index of the video stream among those of the container, from 0.
        video_streams: descriptions of all video streams if there are several; else empty.
        first_video_stream: index of the first one not flagged as an attached picture.
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
    video_stream: int = 0
    video_streams: tuple[str, ...] = ()
    first_video_stream: int = 0


class Reading(Protocol):
    """One pass over an open source's pictures."""

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        """Pictures from the first, with times; at least those that the pass's grid needs."""

    @property
    def extent(self) -> PacketExtent | None:
        """Extent of the packets, once the pictures ended; None if unknown."""

    def check_end(self) -> None:
        """Raise if the pictures ended before the source's own end.

        Raises:
            VideoError: they ended early.
        """


class Media(ABC):
    """Media that can be sampled. A context manager.

    Attributes:
        name: name in errors; holds no secret.
        info: properties of its video.
        extent: extent of its packets after a complete iteration; None before, or if unknown.
    """

    def __init__(self, name: str, info: VideoInfo) -> None:
        self.name = name
        self.info = info
        self.extent: PacketExtent | None = None
        self._readings = ExitStack()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all iterations and close the source."""
        self._is_closed = True
        self._readings.close()

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Frames at instants k / sample_fps after the first picture: the picture on screen then, upright, RGB.

        Times count from the container's zero, as in players; the first need not be 0.

        A picture that stays over several instants is yielded at each, so times are regular (see
        `keepsight.video.sampling`). Frames are yielded during decoding.

        Args:
            sample_fps: frames per second; above the video's own rate pictures repeat.
            start_seconds: skip earlier instants, for resuming; other times are unchanged.

        Raises:
            SettingError: an argument is out of range (raised at once).
            VideoError: the source is closed (raised at once).
            SourceNotFoundError, NotAVideoError: the source was removed or replaced since it was opened.
            TruncatedVideoError: the video ends before its claimed duration; raised after all frames.
        """
        if self._is_closed:
            raise VideoError(f"{self.name} is closed")
        grid = SampleGrid(sample_fps, start_seconds)
        frames = self._frames(grid, RgbConverter())
        self._readings.callback(frames.close)
        return frames

    @abstractmethod
    def _read(self, grid: SampleGrid) -> AbstractContextManager[Reading]:
        """Open the source from its first picture."""

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Generator[Frame, None, None]:
        with self._read(grid) as reading:
            yield from frames_on_screen(reading.pictures(), grid, converter.convert)
            self.extent = reading.extent
            reading.check_end()

    def early_end(self, reached_seconds: float) -> TruncatedVideoError:
        """Error for a video that ends early."""
        whole = self.info.duration_seconds
        of_whole = "" if whole is None or whole <= reached_seconds else f" of {format_clock(whole)}"
        reached = f"{format_clock(reached_seconds)}{of_whole} ({reached_seconds:.3f} s)"
        return TruncatedVideoError(f"{self.name} is truncated or damaged: its frames end at {reached}")


class VideoFile(Media):
    """A video file that can be sampled repeatedly, at several rates. Made by `open_video`.

    Attributes:
        path: the file.
        info: properties of its video.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        super().__init__(one_line(path), info)
        self.path = path

    @contextmanager
    def _read(self, grid: SampleGrid) -> Iterator[Reading]:
        with open_container(self.path) as container:
            stream = video_stream(container, self.path, self.info.video_stream)
            extent = FileExtent.of(self.path)
            yield _FileReading(self, PictureReader(container, stream, grid, is_cut_off=extent.is_cut_off), extent)


class _FileReading:
    def __init__(self, file: VideoFile, reader: PictureReader, extent: FileExtent) -> None:
        self._file = file
        self._reader = reader
        self._extent = extent

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        return self._reader.pictures()

    @property
    def extent(self) -> PacketExtent | None:
        return self._reader.extent

    def check_end(self) -> None:
        if self._reader.ends_early or self._extent.lacks_bytes():
            raise self._file.early_end(float(self._reader.end_seconds))


def open_video(path: str | PathLike[str], number: int | None = None) -> VideoFile:
    """Open a video file and read its properties; decodes the first picture. Use as a context manager.

    Args:
        path: the file.
        number: index of its video stream, from 0; None for the choice of `video.stream_choice`.

    Raises:
        SourceNotFoundError: no such file.
        NotAVideoError: it is a folder, empty, not media, or in an unsupported format or codec.
        NoVideoStreamError: it is media without video.
        TruncatedVideoError: it is truncated before its first frame.
    """
    file_path = Path(path)
    with open_container(file_path) as container:
        stream = video_stream(container, file_path, number)
        is_cut_off = FileExtent.of(file_path).is_cut_off
        first = next(PictureReader(container, stream, None, is_cut_off=is_cut_off).pictures(), None)
        if first is None and is_cut_off:
            raise TruncatedVideoError(f"{one_line(file_path)} is truncated before its first frame")
        if first is None:
            raise NotAVideoError(f"{one_line(file_path)} has no frame that can be decoded")
        return VideoFile(file_path, describe(container, stream, first.picture))


def describe(container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
    """Properties of a container and its first picture.

    Raises:
        NotAVideoError: the picture's colour coding is not supported.
    """
    matrix_of(first)
    width, height = displayed_size(first)
    offered = offered_streams(container)
    return VideoInfo(
        width=width,
        height=height,
        duration_seconds=_duration_seconds(container, stream),
        average_fps=float(stream.average_rate) if stream.average_rate else None,
        codec=codec_name(stream),
        rotation_degrees=rotation_degrees(display_matrix(first)),
        num_frames=stream.frames or None,
        video_stream=list(container.streams.video).index(stream),
        video_streams=tuple(map(str, offered[:_MOST_NAMED])) if len(offered) > 1 else (),
        first_video_stream=next((place for place, one in enumerate(offered) if not one.is_still), 0),
    )


def _duration_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """End of the video, or of the container, in seconds from the container's zero."""
    if container.format.name in _RAW_FORMATS:
        return None
    zero = clock_settings(container).zero or Fraction(0)
    if container.format.name != _MATROSKA and stream.duration is not None and stream.duration > 0 and stream.time_base:
        start = max(Fraction(0), (stream.start_time or 0) * stream.time_base - zero)
        return float(start + stream.duration * stream.time_base)
    if container.duration is not None and container.duration > 0:
        # Matroska's duration counts from timestamp 0 (RFC 9559, section 5.1.2.10), that of other formats from their
        # start.
        start = zero if container.format.name == _MATROSKA else Fraction(0)
        return float(container.duration * _CONTAINER_TIME_BASE - start)
    return None
