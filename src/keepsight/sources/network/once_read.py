"""A source that goes on while it is read, and is read once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Protocol

from av.video.frame import VideoFrame

from keepsight.errors import SettingError, VideoError
from keepsight.video import Frame, VideoInfo
from keepsight.video.sampling import SampleGrid, TimedPicture
from keepsight.video.source import Media, Reading


class OpenReading(Reading, Protocol):
    """A pass over pictures that has begun, and can be ended."""

    def close(self) -> None:
        """Let go of the source. A second call does nothing."""


class OnceReadMedia(Media):
    """A live source. Its first picture, decoded to learn what it is, is the first of those that are sampled.

    Args:
        name: what errors call it.
        info: what it says of its pictures; made live.
        reading: the pass that has begun.
        first: the picture it began with.
        rest: those that follow.
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

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """As `Media.sampled_frames`, once, from the first picture on.

        Raises:
            SettingError: `start_seconds` is not 0, since a live source has no past; or another argument is outside
                its range.
            VideoError: the source is closed, or was read before.
            SourceUnreachableError: the connection was lost, after every frame before that.
            SourceStalledError: nothing came for too long.
        """
        if start_seconds:
            raise SettingError(f"{self.name} is live and has no past: start_seconds is 0, not {start_seconds}")
        if self._is_read:
            raise VideoError(f"{self.name} is live: it is read once")
        frames = super().sampled_frames(sample_fps, max_side_pixels=max_side_pixels)
        self._is_read = True
        return frames

    def close(self) -> None:
        """End the iteration over the source and let go of it."""
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

    def check_end(self) -> None:
        self._reading.check_end()
