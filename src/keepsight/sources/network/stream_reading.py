"""Decoding of media from a file-like object."""

import io
from collections.abc import Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

from keepsight.errors import TruncatedVideoError, VideoError
from keepsight.video import VideoInfo
from keepsight.video.containers import open_stream, video_stream
from keepsight.video.packet_times import PacketExtent
from keepsight.video.reading import PictureReader
from keepsight.video.sampling import SampleGrid, TimedPicture
from keepsight.video.source import describe

_PICTURE_PARTS = "multipart/x-mixed-replace"


class StreamBytes(io.RawIOBase):
    """Bytes from a network to decode.

    An error midway does not interrupt decoding: the bytes seem to end there, so every earlier picture is delivered, and
    `failure` has the error.

    Attributes:
        content_type: media type from the server, or empty.
        failure: why the bytes ended early, or None.
        may_be_live: whether the length is unknown.
        longest_step_seconds: a longer step between pictures is a clock jump; None if no step is.
    """

    content_type: str = ""
    failure: VideoError | None = None
    may_be_live: bool = False
    longest_step_seconds: Fraction | None = None

    def is_cut_off(self) -> bool:
        """Whether a container claims more bytes than there are; only before the first `read`."""
        return False

    def readable(self) -> bool:
        return True


class StreamReading:
    """One pass over the pictures of such bytes.

    Args:
        file: read to its end; closed by `close`.
        name: name in errors.
        grid: as for `PictureReader`.
        number: index of the video stream: see `video_stream`.

    Raises:
        VideoError: it is not readable; has the connection's error, if any.
    """

    def __init__(self, file: StreamBytes, name: str, grid: SampleGrid | None, number: int | None = None) -> None:
        self.file = file
        self.name = name
        # Consecutive JPEG images have no times; FFmpeg would assume 25 per second.
        is_parts = file.content_type == _PICTURE_PARTS
        format_name, options = ("mpjpeg", {"use_wallclock_as_timestamps": "1"}) if is_parts else (None, {})
        is_cut_off = file.is_cut_off()
        try:
            self._container = open_stream(file, name, format_name=format_name, options=options)
        except VideoError:
            file.close()
            if file.failure is not None:
                raise file.failure from None
            if is_cut_off:
                raise TruncatedVideoError(f"{name} is truncated before its index, so no frame can be decoded") from None
            raise
        try:
            self._stream = video_stream(self._container, name, number)
            self._reader = PictureReader(
                self._container,
                self._stream,
                grid,
                is_cut_off=is_cut_off,
                is_live=file.may_be_live,
                longest_step_seconds=file.longest_step_seconds,
            )
            if file.may_be_live:
                # Frame threads would hold back one picture each.
                self._stream.thread_type = "SLICE"
        except BaseException:
            self.close()
            raise

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        """Pictures with times; see `PictureReader.pictures`."""
        return self._reader.pictures()

    @property
    def extent(self) -> PacketExtent:
        """Extent of the packets; final once `pictures` has ended."""
        return self._reader.extent

    @property
    def ends_early(self) -> bool:
        """Whether pictures at the end could not be decoded; final once `pictures` has ended."""
        return self._reader.ends_early

    @property
    def end_seconds(self) -> Fraction:
        """End of the pictures so far."""
        return self._reader.end_seconds

    def describe(self, first: VideoFrame) -> VideoInfo:
        """Properties of the container and its first picture."""
        return describe(self._container, self._stream, first)

    def close(self) -> None:
        """Close the source. Idempotent."""
        self._container.close()
        self.file.close()
