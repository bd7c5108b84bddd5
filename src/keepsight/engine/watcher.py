"""The recurrent loop over one stream: video -> model -> selection -> memory -> journal."""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import Self

from keepsight.asking.answering import Answer, AnswerStream, Ask, ask
from keepsight.asking.notebook import with_pictures
from keepsight.engine.endings import end_recorded, watch_file
from keepsight.engine.finding import find_or_begin
from keepsight.engine.live_session import LiveSession
from keepsight.engine.live_watch import LiveWatch
from keepsight.engine.reopening import Begun, resume_stream
from keepsight.engine.session import StreamSession
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_journal import WatchedJournal
from keepsight.engine.watched_source import NoteKind, SourceNote, SourceNow, Unchanged, choice_note
from keepsight.engine.window import window_note
from keepsight.errors import EmptyJournalError, SettingError
from keepsight.journal import EndReason, Journal, Quota, StreamRecord
from keepsight.method.protocol import VideoModel
from keepsight.models.cancellation import CancellableModel, Cancellation
from keepsight.models.engines.answers import EngineAnswers
from keepsight.models.engines.engine import Engine
from keepsight.progress import shown_progress
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.isolated import connect
from keepsight.sources.opening import open_content
from keepsight.sources.plug_in import Source
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection, StateChange
from keepsight.video import Frame

logger = logging.getLogger(__name__)


class Watcher:
    """Watches video and answers questions about it.

        with Watcher(model, journal="kitchen.db") as watcher:
            for moment in watcher.watch("kitchen.mp4"):
                print(moment.span, moment.caption)
            print(watcher.ask("Where did the dog go?").text)

    Args:
        model: model that captions and answers.
        journal: path of the journal, created at the first watch if missing, or an open journal; None for one deleted
            when the watcher closes (`Journal.temporary`).
        settings: settings for watching and answering; the defaults if None.
        sources: how sources are read; the defaults if None.
        quota: size limits of the journal, enforced while watching; None for none.
        open_source: opens sources; in a separate process if None.
        engine: server that answers questions in place of the model, from the captions that the model finds; None for
            the model.
    """

    def __init__(
        self,
        model: VideoModel,
        journal: str | PathLike[str] | Journal | None = None,
        settings: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
        open_source: Callable[[SourceAddress, SourceSettings], Connection] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._cancellation = Cancellation()
        self.model: VideoModel = CancellableModel(model, self._cancellation)
        self._connect = open_source or connect
        self._engine = engine
        self.settings = settings or Settings()
        self.sources = sources or SourceSettings()
        self._journal = WatchedJournal(journal, quota)
        self._session: StreamSession | None = None
        self._live: LiveWatch | None = None
        self._duration_seconds: float | None = None  # of the last watched file, if it states one

    def use_model(self, model: VideoModel) -> None:
        """Watch and answer with another model from now on, such as the one behind a closed shared model."""
        self.model = CancellableModel(model, self._cancellation)

    @property
    def stream(self) -> StreamRecord | None:
        """The stream watched last, with its end once it has ended; None before the first."""
        return self._session.stream if self._session else None

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames of the stream watched last without a caption, in time order."""
        return self._session.pending_frames if self._session else ()

    @property
    def newest_frame(self) -> Frame | None:
        """Newest frame of a live source, even if it still waits; for a file, the last pending frame."""
        live, pending = self._live, self.pending_frames
        return live.newest_frame if live is not None else (pending[-1] if pending else None)

    @property
    def now_seconds(self) -> float | None:
        """Current time of a live stream; None for a file, and while nothing is watched."""
        live = self._live
        return None if live is None else live.now_seconds

    @property
    def num_waiting(self) -> int:
        """Number of frames of a live source waiting for the model."""
        live = self._live
        return 0 if live is None else live.num_waiting

    def watch(
        self,
        source: str | PathLike[str] | SourceAddress | Source,
        sample_fps: float | None = None,
        *,
        restart: bool = False,
        progress: bool = False,
    ) -> Generator[Moment, None, None]:
        """Watch a source, yielding each moment once it is on disk.

        A source is the path of a file or a folder of pictures, the address of a server or camera, a device, frames
        pushed by another program (`SourceAddress`), or an object (`Source`). It is decoded in another process.

        Watching the same source again with the same model and settings resumes after the last stored clip. If nothing
        is left to watch, no moment is yielded and `stream.is_finished` is true before and after. A source is identified
        by its content (`sources.identity`): a replaced file gets a new stream, one that has grown is resumed.

        Leaving the loop, or Ctrl-C, keeps all yielded moments and marks the stream as interrupted.

        Args:
            source: source to watch.
            sample_fps: frames sampled per second of video; the settings' rate if None.
            restart: watch from the beginning as a new stream.
            progress: show a bar below the notebook's cell, or on a terminal.

        Raises:
            SourceNotFoundError, NotAVideoError, NoVideoStreamError, SourceUnreachableError, AddressRefusedError:
                nothing can be watched; no stream is created. A live source lost later is reconnected.
            TruncatedVideoError: the video is damaged; raised after all readable moments, with the end recorded.
            IncompleteVideoError: less was watched than the video's duration; the same call resumes.
            DecoderDiedError: the decoding process crashed, or reached its limits; everything before is stored.
            SourceChangedError: a file was replaced while it was watched; all yielded moments are of the old one.
            JournalWriteError: the write failed; all yielded moments are stored.
            JournalError: the file is not a journal or of a later version, or another watcher holds the stream.
            SettingError: `sample_fps` is not allowed.
        """
        with ExitStack() as stack:
            reach = stack.enter_context(shown_progress()) if progress else None
            events = stack.enter_context(closing(self.events(source, sample_fps, restart=restart)))
            for event in events:
                if isinstance(event, Moment):
                    if reach is not None:
                        reach(event.end_seconds, self._duration_seconds)
                    yield event

    def events(
        self,
        source: str | PathLike[str] | SourceAddress | Source,
        sample_fps: float | None = None,
        *,
        restart: bool = False,
        connection: Connection | None = None,
        stream: StreamRecord | None = None,
    ) -> Generator[Moment | StateChange | SourceNote, None, None]:
        """Like `watch`, with the state changes of a live source in between: connecting, streaming, stalled, offline,
        ended.

        Notices about a file come first: it was replaced, has grown, was moved, has several video streams.

        Args:
            source: see `watch`.
            sample_fps: see `watch`.
            restart: see `watch`.
            connection: an open connection (`sources.isolated.connect`), used first and closed here.
            stream: stream to resume with its own settings, instead of searching for one.

        Raises:
            KeepsightError: as for `watch`; also `SourceChangedError` if the source is no longer that of `stream`.
        """
        address = SourceAddress.of(source)
        self._duration_seconds = None
        settings = self.settings if sample_fps is None else replace(self.settings, sample_fps=sample_fps)
        if stream is not None:
            settings = _settings_of(stream, settings)
        try:
            with closing(self._events(address, settings, restart, connection, stream)) as events:
                for event in events:
                    if isinstance(event, Moment):
                        self._journal.keep_quota()
                    yield event
        finally:
            self._journal.release()

    def _events(
        self,
        address: SourceAddress,
        settings: Settings,
        restart: bool,
        connection: Connection | None,
        stream: StreamRecord | None,
    ) -> Generator[Moment | StateChange | SourceNote, None, None]:
        if address.is_always_live:
            yield from self._watch_live(address, connection, settings, restart, stream)
            return
        with ExitStack() as stack:
            video = stack.enter_context(closing(connection or self._connect(address, self.sources)))
            self._duration_seconds = None if video.info.is_live else video.info.duration_seconds
            if video.info.is_live:
                stack.pop_all()  # the supervised source takes over the first connection
                yield from self._watch_live(address, video, settings, restart, stream)
                return
            content = open_content(address, allow_private=self.sources.allow_private)
            if content is not None:
                stack.enter_context(closing(content))
            now = SourceNow.of(address.name, video.info, content)
            journal, begun = self._claim(now, settings, restart, started_at=video.info.started_at, known=stream)
            self._session = session = StreamSession(self.model, journal, begun.stream, settings)
            if begun.note:
                yield SourceNote(NoteKind.IDENTITY, begun.note)
            if address.video_stream is None and (note := choice_note(address.name, video.info)) is not None:
                yield note
            if session.stream.is_finished:
                logger.info("%s was watched to its end before", session.stream.source)
                return
            if (small := window_note(self.model, settings)) is not None:
                yield small
            with end_recorded(session):
                damage = yield from watch_file(session, video, settings, Unchanged(address.name, content))
            if damage is not None:
                raise damage

    def resume(
        self, stream: StreamRecord | str, source: str | PathLike[str] | SourceAddress | Source | None = None
    ) -> Generator[Moment, None, None]:
        """Resume a stream of the journal with its own settings.

        `watch` resumes the newest stream of a source with the watcher's settings; this resumes any.

        Args:
            stream: record or id of the stream.
            source: its source, such as an address with a password; the stream's own if None.

        Raises:
            UnknownStreamError: the stream is unknown.
            SettingError: it was watched with another model.
            SourceChangedError: its source's content was replaced.
            KeepsightError: as for `watch`.
        """
        record = self._journal.open().streams.get(stream if isinstance(stream, str) else stream.id)
        if not record.is_by(self.model.info.identity):
            unlike, got = record.difference_to(self.model.info.identity), self.model.info.identity.checkpoint
            raise SettingError(f"stream {record.id} was watched with {unlike}, got {got}")
        address = SourceAddress.of(record.source if source is None else source)
        if address.kind in (SourceKind.FILE, SourceKind.HTTP):
            address = address.with_video_stream(record.video_stream)
        with closing(self.events(address, stream=record)) as events:
            for event in events:
                if isinstance(event, Moment):
                    yield event

    def watch_frames(
        self, frames: Iterable[Frame], name: str, settings: Settings | None = None, *, restart: bool = False
    ) -> Generator[Moment, None, None]:
        """Watch frames made by the caller, already sampled at `settings.sample_fps`; none is dropped.

        Args:
            frames: frames in time order, from the beginning: those stored by an earlier run are skipped. Read ahead in
                another thread.
            name: name of the stream; the same name, model and settings resume it.
            settings: settings for watching; the watcher's if None.
            restart: always start a new stream.

        Raises:
            JournalError, JournalWriteError: as for `watch`.
            SettingError: a frame is earlier than the previous one.
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
        """Stop watching a live source soon, captioning pending frames; to stop a file, leave its loop. Thread-safe."""
        if self._session is not None:
            self._session.stop_waiting()
        if self._live is not None:
            self._live.stop()

    def cancel(self) -> None:
        """Cancel the current clip at its next token, for good. All that is stored stays. Thread-safe.

        Watching then raises `WorkCancelledError`, and the stream is marked as interrupted.
        """
        self._cancellation.cancel()
        self.stop()

    def _watch_live(
        self,
        address: SourceAddress,
        first: Connection | None,
        settings: Settings,
        restart: bool,
        known: StreamRecord | None,
    ) -> Generator[Moment | StateChange | SourceNote, None, None]:
        journal, begun = self._claim(SourceNow(address.name), settings, restart, is_live=True, known=known)
        session = LiveSession(self.model, journal, begun.stream, settings)
        self._session = session
        if begun.note:
            yield SourceNote(NoteKind.IDENTITY, begun.note)
        if (small := window_note(self.model, settings)) is not None:
            yield small
        waiting = [] if first is None else [first]
        self._live = LiveWatch.begin(
            session,
            address,
            lambda: waiting.pop() if waiting else self._connect(address, self.sources),
            self.sources,
        )
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
        """Start or resume a stream whose frames the caller pushes, such as a camera's.

        Args:
            source: name of the stream; the same name, model and settings resume it.
            settings: settings for watching; the watcher's if None.
            restart: always start a new stream.
            started_at: wall-clock time of the stream's second 0, in seconds since 1970; None for now.

        Raises:
            JournalError: the file is not a journal, of a later version, or cannot be written.
        """
        settings = settings or self.settings
        journal, begun = self._claim(SourceNow(source), settings, restart, started_at=started_at)
        self._session = StreamSession(self.model, journal, begun.stream, settings)
        return self._session

    def ask(self, question: str, at_seconds: float | None = None, *, live: bool | None = None) -> Answer:
        """Answer a question about the stream watched last, or the newest one in the journal.

        Args:
            question: any text.
            at_seconds: answer as of this stream time, using only clips ended by then; None for all.
            live: also show the model the frames without a caption; the settings' choice if None.

        Raises:
            JournalNotFoundError, EmptyJournalError: nothing to answer from.
            PromptTooLongError: the question leaves no room for a caption.
            EngineError: the engine is unreachable, refuses, or does not answer.
        """
        asked = self.ask_streaming(question, at_seconds, live=live)
        return with_pictures(asked.answer, self._journal.open(), asked.stream)

    def ask_streaming(
        self, question: str, at_seconds: float | None = None, *, live: bool | None = None
    ) -> AnswerStream:
        """Like `ask`, yielding the answer in pieces as it is generated."""
        journal = self._journal.open()
        stream = self.stream or journal.streams.latest()
        if stream is None:
            raise EmptyJournalError(f"nothing has been captioned yet in {journal.path}")
        asked = Ask(question, at_seconds, live=live)
        model = self.model if self._engine is None else EngineAnswers(self.model, self._engine)
        return ask(model, journal, stream, asked, settings=self.settings, live_frames=self.pending_frames)

    def close(self) -> None:
        """Release the stream, and close the journal if the watcher opened it; it reopens when needed."""
        self._journal.close()

    def _claim(
        self,
        source: SourceNow,
        settings: Settings,
        restart: bool,
        *,
        is_live: bool = False,
        started_at: float | None = None,
        known: StreamRecord | None = None,
    ) -> tuple[Journal, Begun]:
        """Find or create a stream, and claim it against other watchers."""
        self._journal.release()
        journal = self._journal.open(create=True)
        if known is not None:
            begun = resume_stream(journal, journal.streams.get(known.id), source, self.model.info)
        else:
            begun = find_or_begin(
                journal, source, self.model, settings, restart=restart, is_live=is_live, started_at=started_at
            )
        self._journal.claim(begun.stream)
        return journal, begun

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _settings_of(stream: StreamRecord, own: Settings) -> Settings:
    """Settings of a stream; the watcher's own if they differ in answering only."""
    kept = Settings.from_json(stream.settings_json)
    return own if kept.watching() == own.watching() else kept
