"""Watches a video only as far as its questions need."""

import logging
from collections.abc import Iterator
from itertools import dropwhile

from keepsight.bench.records import FrameSource
from keepsight.engine.session import StreamSession
from keepsight.errors import TruncatedVideoError
from keepsight.journal import EndReason
from keepsight.settings import Settings
from keepsight.video import Frame
from keepsight.video.sampling import SampleGrid

logger = logging.getLogger(__name__)


class VideoWatch:
    """Passes a video's frames to a session, up to one question time after another.

    No frame at or after a question's time reaches the model before the question is answered.

    Args:
        session: receives frames; a resumed one continues after its last clip, a finished one gets none.
        source: the frames.
        settings: settings of watching.
    """

    def __init__(self, session: StreamSession, source: FrameSource, settings: Settings) -> None:
        self.session = session
        self._grid = SampleGrid(settings.sample_fps)
        self._damage: TruncatedVideoError | None = None
        self._end_seconds = session.resume_seconds
        self._frames = _from(source.frames(settings.sample_fps), session.resume_seconds - 0.5 / settings.sample_fps)
        self._next = None if session.stream.is_finished else self._read()
        self._newest_clip: tuple[Frame, ...] = ()
        self._newest_end_seconds = 0.0

    def reach(self, ask_seconds: float) -> None:
        """Watch the frames before a time; if the video ends by then, also caption its last frames.

        Raises:
            VideoError: the video is unreadable. A truncated one is watched up to the damage.
            JournalWriteError: writing failed.
        """
        while self._next is not None and self._next.pts_seconds < ask_seconds:
            self._push(self._next)
            self._end_seconds = self._grid.next_instant_seconds(self._next.pts_seconds)
            self._next = self._read()
        if self._next is None and ask_seconds >= self._end_seconds and not self.session.stream.is_finished:
            self._finish()

    def uncaptioned(self, ask_seconds: float) -> tuple[Frame, ...]:
        """Frames since the last clip that ended by a time that was reached, in time order.

        A clip ends one sampling step after its last frame. In that step its frames are all there, and its caption is
        none to answer from yet.
        """
        newest = self._newest_clip if ask_seconds < self._newest_end_seconds else ()
        return (*newest, *self.session.pending_frames)

    def leave(self) -> None:
        """Mark a video that was not watched to its end, so that it can resume."""
        if not self.session.stream.is_finished:
            self.session.end(EndReason.INTERRUPTED)

    def _push(self, frame: Frame) -> None:
        frames = (*self.session.pending_frames, frame)
        clip = self.session.push(frame)
        if clip is not None:
            self._newest_clip = tuple(one for one in frames if one.pts_seconds < clip.end_seconds)
            self._newest_end_seconds = clip.end_seconds

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
            logger.warning("answering from the readable part of the video: %s", self._damage)
            self.session.end(EndReason.TRUNCATED, str(self._damage))


def _from(frames: Iterator[Frame], start_seconds: float) -> Iterator[Frame]:
    return dropwhile(lambda frame: frame.pts_seconds < start_seconds, frames)
