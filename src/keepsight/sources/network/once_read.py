"""Live sources that can be read only once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Protocol

from av.video.frame import VideoFrame

from keepsight.errors import SettingError, VideoError
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent
from keepsight.video.sampling import SampleGrid, TimedPicture
from keepsight.video.source import Media, Reading


class OpenReading(Reading, Protocol):
    """A started pass over pictures that can be closed."""

    def close(self) -> None:
        """Close the source. Idempotent."""


class OnceReadMedia(Media):
    """A live source. The first picture, decoded to read its properties, is also the first sampled.

    Args:
        name: name in errors.
        info: properties of its video; marked live.
        reading: the started pass.
        first: its first picture.
        rest: the following pictures.
    """

    def __init__(
        self,
        name: str,
        info: VideoInfo,
        reading: OpenReading,
        first: TimedPicture[VideoFrame],
        rest: Iterator[TimedPicture[VideoFrame]],
    ) -> None:
        super().__init__(name, replace(info, is_live=True, duration_seconds=None, num_frames=None))
        self._reading = reading
        self._pictures = chain([first], rest)
        self._is_read = False

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Like `Media.sampled_frames`, once, from the first picture on.

        Raises:
            SettingError: `start_seconds` is not 0, or another argument is out of range.
            VideoError: the source is closed, or was already read.
            SourceUnreachableError: the connection was lost; raised after all frames.
            SourceStalledError: timeout.
        """
        if start_seconds:
            raise SettingError(f"{self.name} is live, so start_seconds must be 0, got {start_seconds}")
        if self._is_read:
            raise VideoError(f"{self.name} is live and can be read only once")
        frames = super().sampled_frames(sample_fps)
        self._is_read = True
        return frames

    def close(self) -> None:
        """End the iteration and close the source."""
        super().close()
        self._reading.close()

    @contextmanager
    def _read(self, grid: SampleGrid) -> Iterator[Reading]:  # noqa: ARG002  # every picture was asked for at opening
        try:
            yield _Begun(self._pictures, self._reading)
        finally:
            self._reading.close()


class _Begun:
    def __init__(self, pictures: Iterator[TimedPicture[VideoFrame]], reading: Reading) -> None:
        self._pictures = pictures
        self._reading = reading

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        return self._pictures

    @property
    def extent(self) -> PacketExtent | None:
        return None  # a live source has no duration to compare with

    def check_end(self) -> None:
        self._reading.check_end()
