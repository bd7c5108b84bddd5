"""Decoding media that is read from a file-like object."""

import io
from collections.abc import Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

from keepsight.errors import TruncatedVideoError, VideoError
from keepsight.video import VideoInfo
from keepsight.video.containers import open_stream, video_stream
from keepsight.video.reading import PictureReader
from keepsight.video.sampling import SampleGrid, TimedPicture
from keepsight.video.source import describe

_PICTURE_PARTS = "multipart/x-mixed-replace"


class StreamBytes(io.RawIOBase):
    """Bytes that came over a network, to be decoded.

    An error in the middle does not break off decoding: the bytes seem to end there, so that every picture before is
    delivered, and `failure` tells afterwards what happened.

    Attributes:
        content_type: the media type that a server gave, or empty.
        failure: why the bytes ended before their end, or None.
        may_be_live: whether nothing tells how many there will be.
    """

    content_type: str = ""
    failure: VideoError | None = None
    may_be_live: bool = False

    def is_cut_off(self) -> bool:
        """Whether a container claims more bytes than there are; only before the first `read`."""
        return False

    def readable(self) -> bool:
        """True."""
        return True


class StreamReading:
    """One pass over the pictures of such bytes.

    Args:
        file: read to its end, and closed by `close`.
        name: what errors call it.
        grid: as for `PictureReader`.

    Raises:
        VideoError: it can't be read, with the connection's own reason where it has one.
    """

    def __init__(self, file: StreamBytes, name: str, grid: SampleGrid | None) -> None:
        self.file = file
        self.name = name
        # JPEG pictures one after another have no times of their own; FFmpeg would count 25 a second.
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
                raise TruncatedVideoError(f"{name} is cut off before its index, so no picture can be read") from None
            raise
        try:
            self._stream = video_stream(self._container, name)
            self._reader = PictureReader(self._container, self._stream, grid, is_cut_off=is_cut_off)
            if file.may_be_live:
                # Threads that decode several pictures at a time hold back one picture each.
                self._stream.thread_type = "SLICE"
        except BaseException:
            self.close()
            raise

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        """Pictures with their times; `PictureReader.pictures`."""
        return self._reader.pictures()

    @property
    def ends_early(self) -> bool:
        """Whether pictures at the end could not be decoded; final once `pictures` has ended."""
        return self._reader.ends_early

    @property
    def end_seconds(self) -> Fraction:
        """Where the pictures so far end."""
        return self._reader.end_seconds

    def describe(self, first: VideoFrame) -> VideoInfo:
        """What the container and its first picture say."""
        return describe(self._container, self._stream, first)

    def close(self) -> None:
        """Let go of the source. A second call does nothing."""
        self._container.close()
        self.file.close()
