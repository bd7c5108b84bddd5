"""The newest frame of each stream as a picture, made once for all who look at it."""

import threading
from dataclasses import dataclass

from keepsight.journal.thumbnails import contact_sheet
from keepsight.server.streams.runs import StreamRuns
from keepsight.video import Frame

PICTURE_WIDTH_PIXELS = 640
"""Of the picture at most; a smaller frame stays as it is."""


@dataclass(frozen=True)
class NewestPicture:
    """A frame to look at.

    Attributes:
        pts_seconds: when it was, in seconds from the stream's start.
        jpeg: the picture.
    """

    pts_seconds: float
    jpeg: bytes


class NewestPictures:
    """Makes pictures of the newest frames. All methods may be called from any thread.

    Args:
        runs: have the frames.
    """

    def __init__(self, runs: StreamRuns) -> None:
        self._runs = runs
        self._lock = threading.Lock()
        self._made: dict[str, NewestPicture] = {}

    def of(self, stream_id: str) -> NewestPicture | None:
        """The newest frame of a stream; None where it is not being watched, or none came since its last clip."""
        run = self._runs.of(stream_id)
        frame = None if run is None else run.newest_frame
        if frame is None:
            return None
        with self._lock:
            made = self._made.get(stream_id)
            if made is None or made.pts_seconds != frame.pts_seconds:
                made = self._made[stream_id] = _picture_of(frame)
                watched = {run.stream.id for run in self._runs.alive()}
                self._made = {one: picture for one, picture in self._made.items() if one in watched}
            return made


def _picture_of(frame: Frame) -> NewestPicture:
    width = min(PICTURE_WIDTH_PIXELS, frame.image.shape[1])
    return NewestPicture(frame.pts_seconds, contact_sheet([frame.image], width_pixels=width))
