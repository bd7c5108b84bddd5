"""The streams of a server: one model, one journal, one thread for each stream that is watched."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

from starlette.exceptions import HTTPException

from keepsight.errors import JournalError, JournalWriteError, KeepsightError
from keepsight.journal import Journal, Quota, StreamLock, StreamRecord
from keepsight.models.protocol import BatchModel
from keepsight.server.access.limits import Slots
from keepsight.server.events.bell import StreamBells
from keepsight.server.failures import conflict, no_such_stream, too_many
from keepsight.server.settings import ServerSettings
from keepsight.server.standing.questions import StandingQuestions
from keepsight.server.streams.run import StreamRun
from keepsight.server.streams.runs import StreamRuns
from keepsight.server.streams.sources import ServedSources
from keepsight.server.streams.states import PAUSED, SHUT_DOWN, is_wanted
from keepsight.server.telemetry.observing import Observers
from keepsight.service import BatchedModel, BatchSettings
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection
from keepsight.watcher import Watcher
from keepsight.watching.session import find_or_begin, newest_like

logger = logging.getLogger(__name__)


class StreamService:
    """Watches streams and knows how they are. All methods may be called from any thread; they may take a while.

        with StreamService(model, settings) as service:
            service.go_on()
            stream = service.begin("kitchen.mp4")

    Args:
        model: describes and answers; used by nobody else meanwhile.
        server: how much may be watched, and from where.
        watching: how streams are watched and questions answered.
        sources: how sources are read; roots and private addresses are those of the server.
        quota: how much the journal may hold; no limit if None.

    Raises:
        JournalError: the journal cannot be opened or made.
    """

    def __init__(
        self,
        model: BatchModel,
        server: ServerSettings,
        watching: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
    ) -> None:
        self.settings = watching or Settings()
        self.journal = Journal.create(server.journal)
        self.model = BatchedModel(model, BatchSettings(max_clips=server.max_streams))
        self.is_closing = False
        self.observers = Observers()
        self._quota = quota
        self._openings = Slots(server.max_openings, "sources are being opened")
        self._lock = threading.Lock()
        self.runs = StreamRuns(server.max_streams)
        self.bells = StreamBells()
        self.sources = ServedSources(server, sources, self._is_used)
        self.standing = StandingQuestions(
            self.journal, self.model, self.sources.guard, server.max_standing_questions, self.bells
        )
        self.standing.start()

    def get(self, stream_id: str) -> StreamRecord:
        """The stream with an id, which may be any text.

        Raises:
            HTTPException: 404, there is none.
        """
        if not (len(stream_id) == 16 and set(stream_id) <= set("0123456789abcdef")):
            raise no_such_stream(stream_id)
        try:
            return self.journal.streams.get(stream_id)
        except JournalWriteError:  # another program keeps it locked
            raise
        except JournalError:
            raise no_such_stream(stream_id) from None

    def begin(self, source: str, *, sample_fps: float | None = None, restart: bool = False) -> StreamRecord:
        """Watch a source: one that was watched before goes on where it was left, unless it was watched to its end.

        Args:
            source: path or address, `push:NAME`, or `upload:ID`.
            sample_fps: frames taken from each second; None takes that of the settings.
            restart: from the beginning, as a new stream.

        Raises:
            VideoError: there is nothing to be watched; `VideoTooLongError`: more than is allowed.
            SettingError: an argument is outside what is allowed.
            StreamLockedError: another program watches it into this journal.
            HTTPException: 409, it is being watched; 429, too many are.
        """
        address = self.sources.address_of(source)
        settings = self.settings if sample_fps is None else replace(self.settings, sample_fps=sample_fps)
        return self._open(
            address,
            settings,
            lambda is_live, started_at: find_or_begin(
                self.journal,
                address.name,
                self.model,
                settings,
                restart=restart,
                is_live=is_live,
                started_at=started_at,
            ),
        )

    def resume(self, stream_id: str) -> StreamRecord:
        """Go on with a stream that was paused or interrupted, or failed; one that is being watched stays as it is.

        Raises:
            VideoError, StreamLockedError: as for `begin`.
            HTTPException: 404; 409, it was watched to its end, with another model, or anew since; 429.
        """
        stream = self.get(stream_id)
        run = self.runs.of(stream_id)
        if run is not None and run.is_alive:
            return stream
        settings = Settings.from_json(stream.settings_json)
        if stream.is_finished and not stream.is_live:
            raise conflict("the stream was watched to its end")
        if stream.model != self.model.info.name:
            raise conflict(f"the stream was watched with the model {stream.model}, this server has another one")
        newest = newest_like(self.journal, stream.source, stream.model, settings, is_live=stream.is_live)
        if newest is None or newest.id != stream_id:
            raise conflict("the source was watched anew since, as another stream: resume that one")
        known = None if run is None else run.source
        address = known if isinstance(known, SourceAddress) else self.sources.address_of(known or stream.source)
        return self._open(address, settings, lambda *_: self.journal.streams.resume(stream_id))

    def pause(self, stream_id: str) -> StreamRecord:
        """Leave a stream alone until it is resumed; returns once the clip in work is stored.

        Raises:
            HTTPException: 404; 409, nobody is watching it.
        """
        self.get(stream_id)
        run = self.runs.of(stream_id)
        if run is None or not run.is_alive:
            raise conflict("the stream is not being watched")
        run.stop(PAUSED)
        run.join()
        return self.get(stream_id)

    def remove(self, stream_id: str) -> None:
        """Stop watching a stream, and remove all that the journal has of it.

        Raises:
            StreamLockedError: another program watches it.
            HTTPException: 404.
        """
        stream = self.get(stream_id)
        run = self.runs.of(stream_id)
        if run is not None:
            run.stop(PAUSED)
            run.join()
        with StreamLock.acquire(self.journal.path, stream_id, stream.source):
            self.get(stream_id)  # somebody else may have removed it meanwhile
            self.journal.streams.remove(stream_id)
        self.runs.forget(stream_id)
        self.bells.remove(stream_id)
        self.sources.forget(stream.source)

    def go_on(self) -> None:
        """Resume what a server before this one was watching when it was stopped, or died; what cannot be is logged."""
        for stream in self.journal.streams.all():
            if is_wanted(stream):
                try:
                    self.resume(stream.id)
                except (KeepsightError, HTTPException) as error:
                    reason = error.detail if isinstance(error, HTTPException) else error
                    logger.warning("stream %s is not gone on with: %s", stream.id, reason)

    def end_event_streams(self) -> None:
        """From any thread: let everybody who waits for events go, because the server is about to end."""
        self.is_closing = True
        self.bells.ring_all()

    def close(self) -> None:
        """Finish the clips in work, then let go of model and journal. A second call does nothing."""
        self.end_event_streams()
        with self._lock:  # whoever opens a source now is refused
            runs = self.runs.alive()
        for run in runs:
            run.stop(SHUT_DOWN)
        for run in runs:
            run.join()
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

    def _open(
        self, address: SourceAddress, settings: Settings, find: Callable[[bool, float | None], StreamRecord]
    ) -> StreamRecord:
        """Open a source, find its stream, and watch it."""
        with self._openings.taken(), ExitStack() as on_failure:
            self._check_room(address.name)
            self.sources.check_place(address)
            connection = None if address.is_always_live else self.sources.connect(address)
            if connection is not None:
                on_failure.callback(connection.close)
            started_at = None if connection is None else connection.info.started_at
            with self._lock:
                self._check_room(address.name)
                with self.journal.transaction():  # who is refused leaves nothing that a later server would go on with
                    stream = find(connection is None or connection.info.is_live, started_at)
                    if stream.is_finished and not stream.is_live:
                        return stream
                    StreamLock.acquire(self.journal.path, stream.id, stream.source).release()
                self._watch(stream, address, settings, connection)
            on_failure.pop_all()
            return stream

    def _check_room(self, name: str) -> None:
        self.runs.check_room(name)
        if self.is_closing:
            raise too_many("the server is about to end")

    def _watch(
        self, stream: StreamRecord, address: SourceAddress, settings: Settings, connection: Connection | None
    ) -> None:
        opener = self.sources.opener(address)
        watcher = Watcher(self.model, self.journal, settings, self.sources.settings_of(address), self._quota, opener)
        reopen = None if address.is_always_live else partial(self.sources.connect, address)
        ring = partial(self.bells.ring, stream.id)
        run = StreamRun(
            stream,
            address,
            watcher,
            self.journal,
            reopen,
            connection,
            ring,
            self.observers,
            self.sources.longest_seconds,
        )
        self.runs.start(run)
        ring()

    def _is_used(self, source: str) -> bool:
        return bool(self.journal.streams.of_source(source))
