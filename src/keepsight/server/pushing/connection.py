"""What the thread that watches takes pushed frames from."""

from collections.abc import Iterator
from typing import BinaryIO, cast

from keepsight.server.pushing.pipe import MessagePipe
from keepsight.sources.readers.pushed import PushedReader
from keepsight.video import Frame, VideoInfo

_UNKNOWN = VideoInfo(0, 0, None, None, "rawvideo", 0, None, is_live=True)


class PushedConnection:
    """What the thread that watches takes frames from; see `sources.supervision.Connection`.

    Args:
        name: of the source.
    """

    def __init__(self, name: str) -> None:
        self.info = _UNKNOWN
        self.pipe = MessagePipe()
        self._name = name

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        """Frames as they are pushed.

        Raises:
            SourceStalledError: none came for so long.
            VideoError: what was pushed says that something is wrong.
        """
        self.pipe.silence_seconds = silence_seconds
        reader = PushedReader(cast("BinaryIO", self.pipe), self._name)
        self.info = reader.info
        yield from reader.sampled_frames(sample_fps, start_seconds=start_seconds)

    def cancel(self) -> None:
        """From any thread: no more frames come."""
        self.pipe.close()

    def close(self) -> None:
        """Let go of it."""
        self.pipe.close()
