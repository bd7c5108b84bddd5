"""Starting to watch: opening a source, finding its stream, and its run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.reopening import Begun
from keepsight.engine.watched_source import SourceNow, choice_note
from keepsight.engine.watcher import Watcher
from keepsight.engine.window import window_note
from keepsight.errors import BusyError
from keepsight.hub.limiter import Limiter
from keepsight.hub.observing import Observers
from keepsight.hub.run import StreamRun
from keepsight.hub.runs import StreamRuns
from keepsight.hub.settings import HubSettings
from keepsight.hub.signals import StreamSignals
from keepsight.hub.sources import ServedSources
from keepsight.hub.uploads.upload import shown_source
from keepsight.journal import Journal, Quota, StreamLock, StreamRecord
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.supervision import Connection


class StreamStarter:
    """Starts the runs of streams. Thread-safe.

    Args:
        hub: limits.
        journal: journal of the streams.
        model: captions their clips.
        sources: opens their sources.
        signals: notified of each start.
        observers: told of each run's work.
        quota: journal quota; None for no limit.

    Attributes:
        runs: the runs started here.
        notes: one-line note per stream id, made when the stream was started or resumed here.
        is_closing: whether nothing is started any more.
    """

    def __init__(
        self,
        hub: HubSettings,
        journal: Journal,
        model: BatchedModel,
        sources: ServedSources,
        signals: StreamSignals,
        observers: Observers,
        quota: Quota | None,
    ) -> None:
        self._journal = journal
        self._model = model
        self._sources = sources
        self._signals = signals
        self._observers = observers
        self._quota = quota
        self._openings = Limiter(hub.max_openings, "sources being opened")
        self._lock = threading.Lock()
        self.is_closing = False
        self.runs = StreamRuns(hub.max_streams)
        self.notes: dict[str, str] = {}

    def close(self) -> list[StreamRun]:
        """Start nothing from now on; returns the runs that are active, once a start under way is among them."""
        self.is_closing = True
        with self._lock:
            return self.runs.alive()

    def start(
        self, address: SourceAddress, settings: Settings, find: Callable[[SourceNow, bool, float | None], Begun]
    ) -> StreamRecord:
        """Open a source, find its stream, and start watching.

        Args:
            address: address of the source.
            settings: settings to watch with.
            find: finds or creates the stream, given the source's state, whether it is live, and its start time.

        Raises:
            VideoError, StreamLockedError, ConflictError, BusyError: as for `StreamService.begin`.
        """
        with self._openings.taken(), ExitStack() as looked, ExitStack() as on_failure:
            self._check_room(address.name)
            self._sources.check_place(address)
            connection = None if address.is_always_live else self._sources.connect(address)
            if connection is not None:
                on_failure.callback(connection.close)
            started_at = None if connection is None else connection.info.started_at
            is_live = connection is None or connection.info.is_live
            now = looked.enter_context(self._source_now(address, connection, is_live))
            with self._lock:
                self._check_room(address.name)
                # A refused source must leave no stream that a later server would resume
                with self._journal.transaction():
                    begun = find(now, is_live, started_at)
                    stream = begun.stream
                    self.runs.check_is_free(stream)
                    self._note(address, connection, begun, settings)
                    if stream.is_finished and not stream.is_live:
                        return self._sources.let_go_of_copy(address, stream, self._journal)
                    StreamLock.acquire(self._journal.path, stream.id, stream.source).release()
                self._watch(stream, address, settings, connection)
            on_failure.pop_all()
            return stream

    @contextmanager
    def _source_now(self, address: SourceAddress, connection: Connection | None, is_live: bool) -> Iterator[SourceNow]:
        """Inspect a source, comparing it with its known streams before any client waits on it."""
        if connection is None or is_live:
            yield SourceNow(address.name)
            return
        content = self._sources.content_of(address)
        if content is None:
            yield SourceNow.of(address.name, connection.info, None)
            return
        with closing(content):
            now = SourceNow.of(address.name, connection.info, content)
            now.compare_with(self._journal.streams.of_source(address.name))
            yield now

    def _note(self, address: SourceAddress, connection: Connection | None, begun: Begun, settings: Settings) -> None:
        """Remember a stream's note for this server's lifetime."""
        choice = None if connection is None or address.video_stream is not None else connection.info
        chosen = None if choice is None else choice_note(shown_source(address.name), choice)
        small = None if begun.stream.is_finished else window_note(self._model, settings)
        notes = [begun.note, *(note.text for note in (chosen, small) if note is not None)]
        self.notes[begun.stream.id] = "; ".join(filter(None, notes))

    def _check_room(self, name: str) -> None:
        self.runs.check_room(name)
        if self.is_closing:
            raise BusyError("the server is shutting down")

    def _watch(
        self, stream: StreamRecord, address: SourceAddress, settings: Settings, connection: Connection | None
    ) -> None:
        opener = self._sources.opener(address)
        watcher = Watcher(self._model, self._journal, settings, self._sources.settings_of(address), self._quota, opener)
        reopen = None if address.is_always_live else partial(self._sources.connect, address)
        notify = partial(self._signals.notify, stream.id)
        run = StreamRun(
            stream,
            address,
            watcher,
            self._journal,
            reopen,
            connection,
            notify,
            self._observers,
            self._sources.longest_seconds,
        )
        self.runs.start(run)
        notify()
