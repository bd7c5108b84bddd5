"""Watching a file to its end, and recording the end of a stream."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from types import TracebackType

from keepsight.engine.coverage import ONLY_SOUND
from keepsight.engine.session import StreamSession
from keepsight.engine.stream_pipeline import Moment
from keepsight.errors import IncompleteVideoError, JournalError, TruncatedVideoError, VideoError, WorkCancelledError
from keepsight.journal import EndReason
from keepsight.settings import Settings
from keepsight.sources.supervision import Connection


def watch_file(
    session: StreamSession, video: Connection, settings: Settings, check: Callable[[bool], None] | None = None
) -> Generator[Moment, None, VideoError | None]:
    """Yield moments of the remaining frames, then record the end.

    Returns:
        `TruncatedVideoError` for a damaged video, `IncompleteVideoError` if less was watched than the video's duration.
    """
    damage = None
    frames = video.sampled_frames(settings.sample_fps, start_seconds=session.resume_seconds)
    try:
        with closing(session.watch(frames, check)) as moments:
            yield from moments
    except TruncatedVideoError as error:
        damage = error
    if damage is None:
        return _end_compared(session, video)
    session.add_gap(video.info.duration_seconds or 0.0, "the video is cut off or damaged")
    session.end(EndReason.TRUNCATED, str(damage))
    return damage


def _end_compared(session: StreamSession, video: Connection) -> IncompleteVideoError | None:
    """Record the regular end of the frames: complete only if nothing is missing."""
    coverage = session.check_coverage(video.info, video.extent)
    if coverage.problem:
        session.end(EndReason.INCOMPLETE, coverage.problem)
        return IncompleteVideoError(
            f"{session.stream.source} was not watched to its end: {coverage.problem}; run the same command to resume"
        )
    if coverage.sound_until_seconds is not None:
        session.add_gap(coverage.sound_until_seconds, ONLY_SOUND)
    session.end(EndReason.COMPLETE)
    return None


@contextmanager
def end_recorded(session: StreamSession) -> Iterator[None]:
    """Record a stream as interrupted or failed when an exception ends watching; the exception propagates.

    If the end cannot be written (disk full, journal already closed), the stream stays unmarked, as after a crash, and
    can still be resumed.
    """

    def record(_: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        with suppress(JournalError):
            if isinstance(error, (GeneratorExit, KeyboardInterrupt, WorkCancelledError)):
                session.end(EndReason.INTERRUPTED)
            elif error is not None:
                session.end(EndReason.FAILED, str(error))

    with ExitStack() as leaving:
        leaving.push(record)
        yield
