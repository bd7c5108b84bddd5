"""The recurrent loop over one stream: video -> model -> selection -> memory -> journal."""

import logging
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from keepsight.answering import Answer, AnswerStream, ask
from keepsight.errors import EmptyJournalError, JournalError, TruncatedVideoError
from keepsight.journal import EndReason, Journal, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.session import StreamSession, find_or_begin
from keepsight.settings import Settings
from keepsight.stream_state import Moment
from keepsight.video import Frame, VideoFile, open_video

logger = logging.getLogger(__name__)


class Watcher:
    """Watches video and answers questions about it.

        with Watcher(model, journal="kitchen.db") as watcher:
            for moment in watcher.watch("kitchen.mp4"):
                print(moment.span, moment.caption)
            print(watcher.ask("Where did the dog go?").text)

    Args:
        model: captions and answers.
        journal: path of the journal, made at the first watch if it is missing, or one that is open already.
        settings: how to watch and answer; the defaults if None.
    """

    def __init__(
        self, model: VideoModel, journal: str | PathLike[str] | Journal, settings: Settings | None = None
    ) -> None:
        self.model = model
        self.settings = settings or Settings()
        self._owns_journal = not isinstance(journal, Journal)
        self._journal_path = journal.path if isinstance(journal, Journal) else Path(journal)
        self._journal = journal if isinstance(journal, Journal) else None
        self._session: StreamSession | None = None

    @property
    def stream(self) -> StreamRecord | None:
        """The stream watched last by this watcher, with its end once it has ended; None before the first."""
        return self._session.stream if self._session else None

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames of the stream watched last that have no caption yet, in time order."""
        return self._session.pending_frames if self._session else ()

    def watch(
        self, source: str | PathLike[str], sample_fps: float | None = None, *, restart: bool = False
    ) -> Generator[Moment, None, None]:
        """Watch a video file; each moment is handed out once it is on disk.

        Watching the same source again with the same model and settings goes on after the last clip that is stored.
        If there is nothing left to watch, no moment comes and `stream.is_finished` is true before and after.

        Leaving the loop, or Ctrl-C, keeps everything handed out and marks the stream as interrupted.

        Args:
            source: path of the file.
            sample_fps: frames taken from each second of video; None takes that of the settings.
            restart: watch from the beginning as a new stream, whatever the journal has.

        Raises:
            SourceNotFoundError, NotAVideoError, NoVideoStreamError: there is nothing to watch; no stream is begun.
            TruncatedVideoError: the video is damaged; raised after all that could be read was handed out, and the end
                is marked.
            JournalWriteError: the disk refused; all moments handed out are kept.
            JournalError: the journal is none, or of a later version.
            SettingError: `sample_fps` is outside what is allowed.
        """
        settings = self.settings if sample_fps is None else replace(self.settings, sample_fps=sample_fps)
        with open_video(source) as video:
            session = self.begin(str(Path(source).resolve()), settings, restart=restart)
            if session.stream.is_finished:
                logger.info("%s was watched to its end before", session.stream.source)
                return
            with _end_recorded(session):
                damage = yield from _watch_frames(session, video, settings)
            if damage is not None:
                raise damage

    def begin(self, source: str, settings: Settings | None = None, *, restart: bool = False) -> StreamSession:
        """Begin or resume a stream whose frames the caller pushes, such as a camera's.

        Args:
            source: names the stream; the same name, model and settings resume it.
            settings: how to watch it; the watcher's own if None.
            restart: begin a new stream in any case.

        Raises:
            JournalError: the journal is none, or of a later version, or cannot be written.
        """
        settings = settings or self.settings
        journal = self._open_journal(create=True)
        stream = find_or_begin(journal, source, self.model, settings, restart=restart)
        self._session = StreamSession(self.model, journal, stream, settings)
        return self._session

    def ask(self, question: str, at_seconds: float | None = None, *, live: bool | None = None) -> Answer:
        """Answer a question about the stream watched last, or the newest one in the journal.

        Args:
            question: any text.
            at_seconds: use only what had ended by this time of the stream; None means all of it.
            live: also show the model the frames that have no caption yet; None takes that of the settings.

        Raises:
            JournalNotFoundError, EmptyJournalError: there is nothing to answer from.
            PromptTooLongError: the question leaves no room for a caption.
        """
        return self.ask_streaming(question, at_seconds, live=live).answer

    def ask_streaming(
        self, question: str, at_seconds: float | None = None, *, live: bool | None = None
    ) -> AnswerStream:
        """As `ask`, but the answer comes in pieces as it is generated."""
        journal = self._open_journal()
        stream = self.stream or journal.streams.latest()
        if stream is None:
            raise EmptyJournalError(f"nothing has been captioned yet in {journal.path}")
        with_frames = self.settings.live if live is None else live
        return ask(
            self.model,
            journal,
            stream,
            question,
            ask_seconds=at_seconds,
            settings=self.settings,
            live_frames=self.pending_frames if with_frames else (),
        )

    def close(self) -> None:
        """Close the journal if the watcher opened it. It is opened again when it is needed."""
        if self._journal is not None and self._owns_journal:
            self._journal.close()
            self._journal = None

    def _open_journal(self, *, create: bool = False) -> Journal:
        if self._journal is None:
            self._journal = Journal.create(self._journal_path) if create else Journal.open(self._journal_path)
        return self._journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _watch_frames(
    session: StreamSession, video: VideoFile, settings: Settings
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
def _end_recorded(session: StreamSession) -> Iterator[None]:
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
