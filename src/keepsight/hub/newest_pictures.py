"""Newest frame of each stream as a JPEG, encoded once for all viewers."""

import threading
from dataclasses import dataclass

from keepsight.hub.runs import StreamRuns
from keepsight.journal.encoding import contact_sheet
from keepsight.video import Frame

PICTURE_WIDTH_PIXELS = 640
"""Maximum width; smaller frames keep their size."""


@dataclass(frozen=True)
class NewestPicture:
    """A JPEG of the newest frame.

    Attributes:
        pts_seconds: time in seconds from the stream's start.
        jpeg: the encoded image.
    """

    pts_seconds: float
    jpeg: bytes


class NewestPictures:
    """Encodes the newest frames. Thread-safe.

    Args:
        runs: source of the frames.
    """

    def __init__(self, runs: StreamRuns) -> None:
        self._runs = runs
        self._lock = threading.Lock()
        self._made: dict[str, NewestPicture] = {}

    def of(self, stream_id: str) -> NewestPicture | None:
        """Newest frame of a stream; None if the stream is not active, or no frame came since its last clip."""
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
