"""The same number of frames of each video, spread evenly: how models see short videos whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from keepsight.errors import VideoError
from keepsight.video import Frame, VideoInfo, open_video


@dataclass(frozen=True)
class EvenFrames:
    """Frames of a video file at equal distances, as many whatever its length.

    Frame i of n is the picture on screen i / n of the video's length after its first. Where the pictures end early, the
    last one repeats, so there are always n.

    Attributes:
        path: the file.
        num_frames: n.
    """

    path: Path
    num_frames: int

    def own_fps(self) -> float:
        """Frames per second, which depends on the file.

        Raises:
            VideoError: the file is missing, not a video, or states no length.
        """
        with open_video(self.path) as video:
            return self._fps(video.info)

    def count_frames(self, _sample_fps: float) -> int:
        """`num_frames`."""
        return self.num_frames

    def frames(self, sample_fps: float) -> Iterator[Frame]:  # noqa: ARG002
        """The frames, in time order. `sample_fps` is ignored.

        Raises:
            VideoError: the file is missing, not a video, damaged, or states no length.
        """
        with open_video(self.path) as video:
            step = 1 / self._fps(video.info)
            frame, missing = None, self.num_frames
            for frame in islice(video.sampled_frames(1 / step), self.num_frames):
                missing -= 1
                yield frame
        if frame is not None:
            yield from (Frame(frame.image, frame.pts_seconds + step * late) for late in range(1, missing + 1))

    def _fps(self, info: VideoInfo) -> float:
        seconds = info.duration_seconds
        if seconds is None and info.num_frames and info.average_fps:
            seconds = info.num_frames / info.average_fps
        if not seconds:
            raise VideoError(
                f"{self.path.name} states no length, so frames cannot be spread over it: convert it to MP4"
            )
        return self.num_frames / seconds
