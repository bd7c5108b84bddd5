"""One video, watched no further than its questions need."""

import logging
from collections.abc import Iterator
from itertools import dropwhile

from keepsight.bench.records import FrameSource
from keepsight.errors import TruncatedVideoError
from keepsight.journal import EndReason
from keepsight.settings import Settings
from keepsight.video import Frame
from keepsight.video.sampling import SampleGrid
from keepsight.watching.session import StreamSession

logger = logging.getLogger(__name__)


class VideoWatch:
    """Hands a video's frames to a session, up to one time of asking after the other.

    No frame at or after a time of asking reaches the model before the question has been answered.

    Args:
        session: where the frames go; a resumed one goes on after its last clip, a finished one gets nothing.
        source: the frames.
        settings: how the video is watched.
    """

    def __init__(self, session: StreamSession, source: FrameSource, settings: Settings) -> None:
        self.session = session
        self._grid = SampleGrid(settings.sample_fps)
        self._damage: TruncatedVideoError | None = None
        self._end_seconds = session.resume_seconds
        self._frames = _from(source.frames(settings.sample_fps), session.resume_seconds - 0.5 / settings.sample_fps)
        self._next = None if session.stream.is_finished else self._read()

    def reach(self, ask_seconds: float) -> None:
        """Watch the frames before a time; where the video has ended by then, its last frames are captioned, too.

        Raises:
            VideoError: the video cannot be read. One that is cut off is watched as far as it goes.
            JournalWriteError: the disk refused.
        """
        while self._next is not None and self._next.pts_seconds < ask_seconds:
            self.session.push(self._next)
            self._end_seconds = self._grid.next_instant_seconds(self._next.pts_seconds)
            self._next = self._read()
        if self._next is None and ask_seconds >= self._end_seconds and not self.session.stream.is_finished:
            self._finish()

    def leave(self) -> None:
        """Mark a video that was not watched to its end, so that it can be gone on with."""
        if not self.session.stream.is_finished:
            self.session.end(EndReason.INTERRUPTED)

    def _read(self) -> Frame | None:
        try:
            return next(self._frames, None)
        except TruncatedVideoError as error:
            self._damage = error
            return None

    def _finish(self) -> None:
        self.session.flush()
        if self._damage is None:
            self.session.end(EndReason.COMPLETE)
        else:
            logger.warning("answered from what could be read: %s", self._damage)
            self.session.end(EndReason.TRUNCATED, str(self._damage))


def _from(frames: Iterator[Frame], start_seconds: float) -> Iterator[Frame]:
    return dropwhile(lambda frame: frame.pts_seconds < start_seconds, frames)
