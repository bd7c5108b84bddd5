"""Watching a file to its end, and how the end of a stream is marked, whatever it is."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from types import TracebackType

from keepsight.errors import JournalError, TruncatedVideoError
from keepsight.journal import EndReason
from keepsight.settings import Settings
from keepsight.sources.supervision import Connection
from keepsight.watching.session import StreamSession
from keepsight.watching.stream_state import Moment


def watch_file(
    session: StreamSession, video: Connection, settings: Settings
) -> Generator[Moment, None, TruncatedVideoError | None]:
    """Moments of the frames that are not watched yet, then the end's mark; returns the damage the video has, if any."""
    damage = None
    frames = video.sampled_frames(settings.sample_fps, start_seconds=session.resume_seconds)
    try:
        with closing(session.watch(frames)) as moments:
            yield from moments
    except TruncatedVideoError as error:
        damage = error
    if damage is None:
        session.end(EndReason.COMPLETE)
    else:
        session.add_gap(video.info.duration_seconds or 0.0, "the video is cut off or damaged")
        session.end(EndReason.TRUNCATED, str(damage))
    return damage


@contextmanager
def end_recorded(session: StreamSession) -> Iterator[None]:
    """Mark a stream as interrupted or failed when watching it is left by an exception, which goes on to the caller.

    Where the mark itself cannot be written (a full disk, a journal closed before its loop), the stream stays unmarked,
    as after a crash; it can be resumed all the same.
    """

    def record(_: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        with suppress(JournalError):
            if isinstance(error, (GeneratorExit, KeyboardInterrupt)):
                session.end(EndReason.INTERRUPTED)
            elif error is not None:
                session.end(EndReason.FAILED, str(error))

    with ExitStack() as leaving:
        leaving.push(record)
        yield
