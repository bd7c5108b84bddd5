"""Streams of a server: one model, one journal, one thread per active stream."""

import logging
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Self

from keepsight.asking.evidence import check_all_parts
from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.finding import find_or_begin
from keepsight.engine.reopening import Begun, resume_stream
from keepsight.engine.turns import BatchSettings
from keepsight.engine.watched_source import SourceNow
from keepsight.errors import (
    ConflictError,
    JournalError,
    JournalWriteError,
    KeepsightError,
    NotFoundError,
    VideoError,
)
from keepsight.hub.observing import Observers
from keepsight.hub.settings import HubSettings
from keepsight.hub.signals import StreamSignals
from keepsight.hub.sources import ServedSources
from keepsight.hub.standing.questions import StandingQuestions
from keepsight.hub.starting import StreamStarter
from keepsight.hub.states import PAUSED, SHUT_DOWN, is_wanted
from keepsight.journal import Journal, Quota, StreamLock, StreamRecord
from keepsight.method.protocol import AnsweringModel, BatchModel
from keepsight.models.engines.answers import EngineAnswers
from keepsight.models.engines.engine import Engine
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.identity import Relation
from keepsight.sources.settings import SourceSettings

logger = logging.getLogger(__name__)


class StreamService:
    """Watches streams and reports their state. Thread-safe; methods may block.

        with StreamService(model, settings) as service:
            service.resume_active()
            stream = service.begin("kitchen.mp4")

    Args:
        model: describes and answers; must not be used elsewhere meanwhile.
        hub: limits, and where sources may be.
        watching: how streams are watched and questions answered.
        sources: how sources are read; the hub's roots and private addresses apply.
        quota: journal quota; None for no limit.
        engine: server that answers questions, standing ones too, in place of the model; None for the model.

    Attributes:
        answering: what answers questions.
        notes: one-line note per stream id, made when the stream was started or resumed here.

    Raises:
        JournalError: the journal cannot be opened or made.
    """

    def __init__(
        self,
        model: BatchModel,
        hub: HubSettings,
        watching: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.settings = watching or Settings()
        self.journal = Journal.create(hub.journal)
        if self.journal.was_in_use:
            logger.warning("%s was copied while in use; its newest entries may be missing", hub.journal)
        self.model = BatchedModel(model, BatchSettings(max_clips=hub.max_streams))
        self._engine_answers = None if engine is None else EngineAnswers(self.model, engine)
        self.answering: AnsweringModel = self._engine_answers or self.model
        self.observers = Observers()
        self.signals = StreamSignals()
        self.sources = ServedSources(hub, sources, self._is_used)
        self._starter = StreamStarter(hub, self.journal, self.model, self.sources, self.signals, self.observers, quota)
        self.runs = self._starter.runs
        self.notes = self._starter.notes
        self.standing = StandingQuestions(
            self.journal, self.answering, self.sources.guard, hub.max_standing_questions, self.signals
        )
        self.standing.start()

    @property
    def is_closing(self) -> bool:
        """Whether the server is shutting down."""
        return self._starter.is_closing

    def get(self, stream_id: str) -> StreamRecord:
        """Stream by id, which may be any text.

        Raises:
            NotFoundError: no such stream.
        """
        if not (len(stream_id) == 16 and set(stream_id) <= set("0123456789abcdef")):
            raise NotFoundError("no such stream")
        try:
            return self.journal.streams.get(stream_id)
        except JournalWriteError:  # another program holds the lock
            raise
        except JournalError:
            raise NotFoundError("no such stream") from None

    def begin(
        self,
        source: str,
        *,
        settings: Settings | None = None,
        restart: bool = False,
        video_stream: int | None = None,
    ) -> StreamRecord:
        """Watch a source; a known source resumes where it stopped, unless it has ended.

        A source is identified by its content (`engine.finding`). Notes about it go to `notes`.

        Args:
            source: path or address, `push:NAME`, or `upload:ID`.
            settings: settings of watching and answering; None for the hub's, or unchanged for a known stream.
            restart: watch from the beginning as a new stream.
            video_stream: video stream of a file, from 0; None for the choice of `video.stream_choice`.

        Raises:
            VideoError: the source has no video; `VideoTooLongError` if it exceeds the limit.
            SettingError: an argument is not allowed, or a plug-in named by the settings is not installed.
            StreamLockedError: another program is watching it into this journal.
            ConflictError: it is already being watched.
            BusyError: the stream limit is reached.
        """
        address = self.sources.address_of(source).with_video_stream(video_stream)
        wanted = self.settings if settings is None else settings
        check_all_parts(wanted)

        def find(now: SourceNow, is_live: bool, started_at: float | None) -> Begun:
            begun = find_or_begin(
                self.journal, now, self.model, wanted, restart=restart, is_live=is_live, started_at=started_at
            )
            known = Settings.from_json(begun.stream.settings_json)
            if settings is None or known == wanted:
                return begun
            changed = known.answering_like(wanted).to_json()
            return replace(begun, stream=self.journal.streams.set_settings(begun.stream.id, changed))

        return self._starter.start(address, wanted, find)

    def resume(self, stream_id: str) -> StreamRecord:
        """Resume a paused, interrupted or failed stream; an active stream stays unchanged.

        Raises:
            VideoError, StreamLockedError: as for `begin`.
            SourceChangedError: the source's content was replaced.
            NotFoundError: no such stream.
            ConflictError: it has ended, used another model, or its source is already being watched.
            BusyError: the stream limit is reached.
        """
        stream = self.get(stream_id)
        run = self.runs.of(stream_id)
        if run is not None and run.is_alive:
            return stream
        settings = Settings.from_json(stream.settings_json)
        identity = self.model.info.identity
        if not stream.is_by(identity):
            needed = "those settings" if stream.has_weights_of(identity) else "that model"
            raise ConflictError(
                f"the stream was watched with {stream.difference_to(identity)}; "
                f"restart the server with {needed} to resume it"
            )
        known = None if run is None else run.source
        address = known if isinstance(known, SourceAddress) else self.sources.address_of(known or stream.source)
        if address.kind in (SourceKind.FILE, SourceKind.HTTP):
            address = address.with_video_stream(stream.video_stream)
        is_known = stream.identity_json is not None  # earlier versions marked some streams complete too early
        if stream.is_finished and not stream.is_live and is_known and not self._has_grown(stream, address):
            raise ConflictError("the stream has ended; watch its source again as a new stream")
        info = self.model.info
        resumed = self._starter.start(address, settings, lambda now, *_: resume_stream(self.journal, stream, now, info))
        if resumed.is_finished and not resumed.is_live:
            raise ConflictError("the stream has ended; watch its source again as a new stream")
        return resumed

    def _has_grown(self, stream: StreamRecord, address: SourceAddress) -> bool:
        """Whether a file that was watched to its end has grown since."""
        try:
            content = None if stream.identity_json is None else self.sources.content_of(address)
            if content is None:
                return False
            with closing(content):
                now = SourceNow(address.name, content, stream.video_stream)
                return now.relation_to(stream) is Relation.GROWN
        except VideoError:
            return False

    def pause(self, stream_id: str) -> StreamRecord:
        """Pause a stream until it is resumed. The current clip is discarded, and watched again when a file resumes.

        Raises:
            NotFoundError: no such stream.
            ConflictError: it is not active.
        """
        self.get(stream_id)
        run = self.runs.of(stream_id)
        if run is None or not run.is_alive:
            raise ConflictError("the stream is not active")
        run.stop(PAUSED)
        run.join()
        return self.get(stream_id)

    def remove(self, stream_id: str) -> None:
        """Stop a stream and delete all its data from the journal.

        Raises:
            StreamLockedError: another program is watching it.
            NotFoundError: no such stream.
        """
        stream = self.get(stream_id)
        run = self.runs.of(stream_id)
        if run is not None:
            run.stop(PAUSED)
            run.join()
        with StreamLock.acquire(self.journal.path, stream_id, stream.source):
            self.get(stream_id)  # another client may have removed it meanwhile
            self.journal.streams.remove(stream_id)
        self.runs.forget(stream_id)
        self.signals.remove(stream_id)
        self.notes.pop(stream_id, None)
        for name in stream.names:
            self.sources.forget(name)

    def resume_active(self) -> None:
        """Resume streams that were active when the previous server stopped or died; failures are logged."""
        for stream in self.journal.streams.all():
            if is_wanted(stream):
                try:
                    self.resume(stream.id)
                except KeepsightError as error:
                    logger.warning("could not resume stream %s: %s", stream.id, error)

    def end_event_streams(self) -> None:
        """Wake all waiters for events, because the server is shutting down. Thread-safe."""
        self._starter.is_closing = True
        self.signals.notify_all()

    def close(self) -> None:
        """Stop all runs, discarding current clips, then close model and journal. Idempotent."""
        self.end_event_streams()
        runs = self._starter.close()
        for run in runs:
            run.stop(SHUT_DOWN)
        for run in runs:
            run.join()
        self.model.cancel()  # grace period of running questions is over
        if self._engine_answers is not None:
            self._engine_answers.cancel()
        self.standing.close()
        self.sources.close()
        self.model.close()
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _is_used(self, source: str) -> bool:
        return bool(self.journal.streams.of_source(source))
