"""Choice of the video stream to watch in a container with several.

The order is that of FFmpeg's `av_find_best_stream` (libavformat/avformat.c): the default flag, then probed frames and
bit rate. Here picture size and the frame count of the whole file replace those two, and a still picture never precedes
moving ones: a poster may lack the flag of an attached picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from av.stream import Disposition
from av.video.stream import VideoStream

_STILL_FLAGS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_PICTURE_CODECS = frozenset({"mjpeg", "png", "bmp", "tiff", "webp", "gif"})


@dataclass(frozen=True)
class OfferedStream:
    """A video stream of a container, as known without decoding.

    Attributes:
        codec: FFmpeg's name.
        width: in pixels.
        height: in pixels.
        num_frames: in the whole file; None if unknown.
        duration_seconds: duration of the stream; None if unknown.
        is_default: whether it has the default flag.
        is_still: whether it is flagged as a picture: cover art, thumbnails.
    """

    codec: str
    width: int
    height: int
    num_frames: int | None = None
    duration_seconds: float | None = None
    is_default: bool = False
    is_still: bool = False

    @classmethod
    def of(cls, stream: VideoStream, codec: str) -> "OfferedStream":
        """Describe a stream of a container."""
        is_known = stream.duration is not None and stream.time_base is not None
        context = stream.codec_context  # None if no decoder supports the codec
        return cls(
            codec=codec,
            width=context.width if context else 0,
            height=context.height if context else 0,
            num_frames=stream.frames or None,
            duration_seconds=float((stream.duration or 0) * (stream.time_base or 0)) if is_known else None,
            is_default=bool(Disposition.default in stream.disposition),
            is_still=bool(stream.disposition & _STILL_FLAGS),
        )

    @property
    def moves(self) -> bool:
        """Whether the stream has more than one picture, judged by codec if the count is unknown."""
        if self.num_frames is not None:
            return self.num_frames > 1
        return self.codec not in _PICTURE_CODECS

    def __str__(self) -> str:
        note = " default" if self.is_default else " still" if self.is_still else ""
        return f"{self.codec} {self.width}x{self.height}{note}"


def choose_stream(offered: Sequence[OfferedStream]) -> int | None:
    """Index of the stream to watch; None if there are only flagged pictures.

    Moving streams precede still ones, then the default flag decides, then size, then frame count or, without one,
    duration, then order.
    """
    places = [place for place, stream in enumerate(offered) if not stream.is_still]
    counts_all = all(offered[place].num_frames is not None for place in places)

    def rank(place: int) -> tuple[bool, bool, int, float, int]:
        stream = offered[place]
        length = float(stream.num_frames or 0) if counts_all else stream.duration_seconds or 0.0
        return (stream.moves, stream.is_default, stream.width * stream.height, length, -place)

    return max(places, key=rank, default=None)
