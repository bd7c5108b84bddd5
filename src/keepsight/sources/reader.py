"""What every kind of source can do, inside the process that decodes it."""

from collections.abc import Iterator
from typing import Protocol

from keepsight.video import Frame, VideoInfo


class Reader(Protocol):
    """A source that is open.

    `VideoFile` is one. A live source is read once, from now on; it has no past to start in.
    """

    @property
    def info(self) -> VideoInfo:
        """What the source says of its pictures."""

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """Frames at the instants k / sample_fps after the first picture, as they come: see `VideoFile.sampled_frames`.

        Times are the container's, on one steady clock from 0, whatever its timestamps do (`video.clock`).

        Raises:
            VideoError: reading came to an end that is not the source's own.
        """

    def close(self) -> None:
        """Let go of the source. A second call does nothing."""
