"""Watching a video file.

Example:
    with open_video("kitchen.mp4") as video:
        for frame in video.sampled_frames(sample_fps=0.5):
            ...
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keepsight.errors import NotAVideoError, TruncatedVideoError, VideoError
from keepsight.spans import format_clock
from keepsight.video.containers import codec_name, open_container, video_stream
from keepsight.video.frames import Frame
from keepsight.video.pictures import RgbConverter, display_matrix, rotation_degrees
from keepsight.video.reading import PictureReader
from keepsight.video.sampling import SampleGrid, on_screen
from keepsight.video.structure import missing_bytes

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
    """

    width: int
    height: int
    duration_seconds: float | None
    average_fps: float | None
    codec: str
    rotation_degrees: int
    num_frames: int | None


class VideoFile:
    """A video file that can be sampled, more than once and at several rates. Made by `open_video`.

    Attributes:
        path: the file.
        info: what it says of its pictures.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path = path
        self.info = info
        self._readings = ExitStack()
        self._is_closed = False

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every iteration over the file and let go of it."""
        self._is_closed = True
        self._readings.close()

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """Frames at the instants k / sample_fps after the first picture: the picture on screen then, upright, RGB.

        A picture that stays on screen over several instants is given at each, so times are regular (the rule and its
        reason are in `keepsight.video.sampling`). Frames come as the file is decoded.

        Args:
            sample_fps: frames a second; above the video's own rate pictures repeat.
            start_seconds: leave out earlier instants, to take a stream up again; the times of the others are those
                they have without it.
            max_side_pixels: scale pictures down so that their longer side is at most this; None keeps their size.

        Raises:
            SettingError: an argument is outside its range (at once).
            VideoError: the file is closed (at once).
            SourceNotFoundError, NotAVideoError: the file is gone or has changed since it was opened.
            TruncatedVideoError: the pictures end before the file says so; after every frame before that.
        """
        if self._is_closed:
            raise VideoError(f"{self.path} is closed")
        grid = SampleGrid(sample_fps, start_seconds)
        frames = self._frames(grid, RgbConverter(max_side_pixels))
        self._readings.callback(frames.close)
        return frames

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Generator[Frame, None, None]:
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            reader = PictureReader(container, stream, grid, is_cut_off=missing_bytes(self.path) > 0)
            picture: VideoFrame | None = None
            for instant, shown in on_screen(reader.pictures(), grid):
                if shown is not picture:
                    picture, image = shown, converter.convert(shown)
                yield Frame(image, float(instant))
            # Asked again: another program may have cut the file meanwhile.
            if reader.ends_early or missing_bytes(self.path):
                raise TruncatedVideoError(self._early_end(float(reader.end_seconds)))

    def _early_end(self, reached_seconds: float) -> str:
        whole = self.info.duration_seconds
        of_whole = "" if whole is None or whole <= reached_seconds else f" of {format_clock(whole)}"
        reached = f"{format_clock(reached_seconds)}{of_whole} ({reached_seconds:.3f} s)"
        return f"{self.path} is cut off or damaged: its pictures end at {reached}"


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
        is_cut_off = missing_bytes(file_path) > 0
        first = next(PictureReader(container, stream, None, is_cut_off=is_cut_off).pictures(), None)
        if first is None and is_cut_off:
            raise TruncatedVideoError(f"{file_path} is cut off before its first picture")
        if first is None:
            raise NotAVideoError(f"{file_path} holds no picture that can be decoded")
        return VideoFile(file_path, _describe(container, stream, first.picture))


def _describe(container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
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
