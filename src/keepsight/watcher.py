"""The recurrent loop over one stream: video -> model -> selection -> memory -> journal."""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from os import PathLike, fspath
from types import TracebackType
from typing import Self

from keepsight.answering import Answer, AnswerStream, ask
from keepsight.errors import EmptyJournalError
from keepsight.journal import EndReason, Journal, Quota, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import connect
from keepsight.sources.live_clock import LiveClock
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection, StateChange, SupervisedSource
from keepsight.video import Frame
from keepsight.watching.endings import end_recorded, watch_file
from keepsight.watching.live_session import LiveSession
from keepsight.watching.live_watch import LiveWatch
from keepsight.watching.session import StreamSession, find_or_begin
from keepsight.watching.stream_state import Moment
from keepsight.watching.watched_journal import WatchedJournal

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
        sources: how sources are read; the defaults if None.
        quota: how much the journal may hold; looked after while watching. No limit if None.
        open_source: opens sources; in a process of their own if None.
    """

    def __init__(
        self,
        model: VideoModel,
        journal: str | PathLike[str] | Journal,
        settings: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
        open_source: Callable[[SourceAddress, SourceSettings], Connection] | None = None,
    ) -> None:
        self.model = model
        self._connect = open_source or connect
        self.settings = settings or Settings()
        self.sources = sources or SourceSettings()
        self._journal = WatchedJournal(journal, quota)
        self._session: StreamSession | None = None
        self._live: LiveWatch | None = None

    @property
    def stream(self) -> StreamRecord | None:
        """The stream watched last by this watcher, with its end once it has ended; None before the first."""
        return self._session.stream if self._session else None

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames of the stream watched last that have no caption yet, in time order."""
        return self._session.pending_frames if self._session else ()

    @property
    def newest_frame(self) -> Frame | None:
        """The frame of a live source that came last, though it may still wait; of a file, the last pending one."""
        live, pending = self._live, self.pending_frames
        return live.newest_frame if live is not None else (pending[-1] if pending else None)

    @property
    def num_waiting(self) -> int:
        """Frames of a live source that wait for the model."""
        live = self._live
        return 0 if live is None else live.num_waiting

    def watch(
        self, source: str | PathLike[str], sample_fps: float | None = None, *, restart: bool = False
    ) -> Generator[Moment, None, None]:
        """Watch a source; each moment is handed out once it is on disk.

        A source is the path of a file or of a folder of pictures, the address of a server or a camera, a device, or
        frames that another program pushes (`sources.address.SourceAddress`). Decoding is done in another process.

        Watching the same source again with the same model and settings goes on after the last clip that is stored.
        If there is nothing left to watch, no moment comes and `stream.is_finished` is true before and after.

        Leaving the loop, or Ctrl-C, keeps everything handed out and marks the stream as interrupted.

        Args:
            source: what to watch.
            sample_fps: frames taken from each second of video; None takes that of the settings.
            restart: watch from the beginning as a new stream, whatever the journal has.

        Raises:
            SourceNotFoundError, NotAVideoError, NoVideoStreamError, SourceUnreachableError, AddressRefusedError: there
                is nothing to watch; no stream is begun. A live source that is lost later is waited for.
            TruncatedVideoError: the video is damaged; raised after all that could be read was handed out, and the end
                is marked.
            DecoderDiedError: the process that decodes crashed, or came to its limits; everything before is kept.
            JournalWriteError: the disk refused; all moments handed out are kept.
            JournalError: the journal is none, or of a later version, or another watcher has the stream.
            SettingError: `sample_fps` is outside what is allowed.
        """
        with closing(self.events(source, sample_fps, restart=restart)) as events:
            for event in events:
                if isinstance(event, Moment):
                    yield event

    def events(
        self,
        source: str | PathLike[str] | SourceAddress,
        sample_fps: float | None = None,
        *,
        restart: bool = False,
        connection: Connection | None = None,
    ) -> Generator[Moment | StateChange, None, None]:
        """As `watch`, with what happens to a live source in between: connecting, streaming, stalled, offline, ended.

        `connection` is one that is open already (`sources.isolated.connect`), used first and closed here.
        """
        try:
            with closing(self._events(source, sample_fps, restart, connection)) as events:
                for event in events:
                    if isinstance(event, Moment):
                        self._journal.keep_quota()
                    yield event
        finally:
            self._journal.release()

    def _events(
        self,
        source: str | PathLike[str] | SourceAddress,
        sample_fps: float | None,
        restart: bool,
        connection: Connection | None,
    ) -> Generator[Moment | StateChange, None, None]:
        settings = self.settings if sample_fps is None else replace(self.settings, sample_fps=sample_fps)
        address = source if isinstance(source, SourceAddress) else SourceAddress.parse(fspath(source))
        if address.is_always_live:
            yield from self._watch_live(address, connection, settings, restart)
            return
        with ExitStack() as stack:
            video = stack.enter_context(closing(connection or self._connect(address, self.sources)))
            if video.info.is_live:
                stack.pop_all()  # it is the first connection of those that follow
                yield from self._watch_live(address, video, settings, restart)
                return
            session = self.begin(address.name, settings, restart=restart, started_at=video.info.started_at)
            if session.stream.is_finished:
                logger.info("%s was watched to its end before", session.stream.source)
                return
            with end_recorded(session):
                damage = yield from watch_file(session, video, settings)
            if damage is not None:
                raise damage

    def watch_frames(
        self, frames: Iterable[Frame], name: str, settings: Settings | None = None, *, restart: bool = False
    ) -> Generator[Moment, None, None]:
        """Watch frames that the caller makes, already sampled at `settings.sample_fps`; nothing of them is dropped.

        Args:
            frames: in time order, from the beginning: what an earlier run has stored is passed over. They are taken
                ahead, in another thread.
            name: names the stream; the same name, model and settings resume it.
            settings: how to watch; the watcher's own if None.
            restart: begin a new stream in any case.

        Raises:
            JournalError, JournalWriteError: as for `watch`.
            SettingError: a frame is earlier than the one before it.
        """
        session = self.begin(name, settings, restart=restart)
        try:
            if session.stream.is_finished:
                return
            first = session.resume_seconds
            later = (frame for frame in frames if frame.pts_seconds >= first)
            with end_recorded(session), closing(session.watch(later)) as moments:
                yield from moments
                session.end(EndReason.COMPLETE)
        finally:
            self._journal.release()

    def stop(self) -> None:
        """From any thread: end watching a live source soon; what is pending is captioned. Files are left by leaving."""
        if self._live is not None:
            self._live.stop()

    def _watch_live(
        self, address: SourceAddress, first: Connection | None, settings: Settings, restart: bool
    ) -> Generator[Moment | StateChange, None, None]:
        journal, stream = self._claim(address.name, settings, restart, is_live=True)
        session = LiveSession(self.model, journal, stream, settings)
        self._session = session
        clock = LiveClock(stream.started_at.timestamp(), session.resume_seconds)
        waiting = [] if first is None else [first]
        source = SupervisedSource(
            lambda: waiting.pop() if waiting else self._connect(address, self.sources),
            settings.sample_fps,
            clock,
            self.sources.supervision,
            may_end=address.may_end,
            comes_back=not address.is_stdin,
        )
        self._live = LiveWatch(session, source, self.sources.load)
        try:
            with end_recorded(session), closing(self._live.events()) as events:
                yield from events
                session.end(EndReason.COMPLETE)
        finally:
            self._live = None

    def begin(
        self,
        source: str,
        settings: Settings | None = None,
        *,
        restart: bool = False,
        started_at: float | None = None,
    ) -> StreamSession:
        """Begin or resume a stream whose frames the caller pushes, such as a camera's.

        Args:
            source: names the stream; the same name, model and settings resume it.
            settings: how to watch it; the watcher's own if None.
            restart: begin a new stream in any case.
            started_at: wall clock at the stream's second 0, in seconds since 1970; None for now.

        Raises:
            JournalError: the journal is none, or of a later version, or cannot be written.
        """
        settings = settings or self.settings
        journal, stream = self._claim(source, settings, restart, started_at=started_at)
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
        journal = self._journal.open()
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
        """Let go of the stream, and close the journal if the watcher opened it; it is opened again when needed."""
        self._journal.close()

    def _claim(
        self, name: str, settings: Settings, restart: bool, *, is_live: bool = False, started_at: float | None = None
    ) -> tuple[Journal, StreamRecord]:
        """Find or begin a stream, and keep other watchers from it."""
        self._journal.release()
        journal = self._journal.open(create=True)
        stream = find_or_begin(
            journal, name, self.model, settings, restart=restart, is_live=is_live, started_at=started_at
        )
        self._journal.claim(stream)
        return journal, stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
