"""Watching one or several sources in one process, with one model and one journal."""

import logging
import queue
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike

from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.turns import BatchSettings
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import KeepsightError, WorkCancelledError
from keepsight.journal import Journal, Quota
from keepsight.method.protocol import BatchModel, VideoModel
from keepsight.models.engines.engine import Engine
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.plug_in import Source
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection, StateChange

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """An error ended the watching of a source; the others continue."""

    error: KeepsightError


@dataclass(frozen=True)
class SourceEvent:
    """Event of one of the sources.

    Attributes:
        source: index of the source among those given.
        event: a moment, a state change, a notice, or its failure.
    """

    source: int
    event: Moment | StateChange | SourceNote | Failure


class WatchTogether:
    """Watches sources: one in the caller's thread, several in a thread each, with clips described in batches.

    Args:
        model: model that describes clips, shared by all streams.
        journal: journal of all streams.
        settings: settings of every stream.
        sources: how sources are read.
        quota: size limits of the journal; None for none.
        engine: server that answers questions in place of the model; None for the model.
    """

    def __init__(
        self,
        model: BatchModel,
        journal: Journal,
        settings: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._model = model
        self._journal = journal
        self._settings = settings or Settings()
        self._sources = sources or SourceSettings()
        self._quota = quota
        self._engine = engine
        self._unwanted = threading.Event()
        self._watchers: list[Watcher] = []

    @property
    def watchers(self) -> Sequence[Watcher]:
        """One watcher per source, in order; each can answer questions."""
        return tuple(self._watchers)

    def _watcher(self, model: VideoModel, quota: Quota | None) -> Watcher:
        return Watcher(model, self._journal, self._settings, self._sources, quota, engine=self._engine)

    def stop(self) -> None:
        """Stop soon: live sources caption pending frames, files stop after the current clip. Thread-safe."""
        self._unwanted.set()
        for watcher in self._watchers:
            watcher.stop()

    def cancel(self) -> None:
        """Cancel current clips at their next token. Thread-safe."""
        self._unwanted.set()
        for watcher in self._watchers:
            watcher.cancel()

    def events(
        self,
        sources: Sequence[str | PathLike[str] | SourceAddress | Source],
        *,
        restart: bool = False,
        connection: Connection | None = None,
    ) -> Generator[SourceEvent, None, None]:
        """Yield events of all sources until every one has ended or failed.

        Closing the generator cancels current clips at their next token; all earlier clips are stored.

        Args:
            sources: see `Watcher.watch`.
            restart: watch all from the beginning as new streams.
            connection: open connection of the first source, closed here.

        Raises:
            BaseException: an unexpected error of a thread, such as a programming error; the other sources are stopped.
        """
        if len(sources) == 1:
            self._watchers = [self._watcher(self._model, self._quota)]
            yield from self._events_of(0, sources[0], restart, connection)
            return
        happened: queue.SimpleQueue[SourceEvent | BaseException | None] = queue.SimpleQueue()
        with BatchedModel(self._model, BatchSettings(max_clips=max(1, len(sources)))) as shared:
            self._watchers = [
                # One of them enforces the shared journal's quota.
                self._watcher(shared, self._quota if place == 0 else None)
                for place in range(len(sources))
            ]
            threads = [
                threading.Thread(
                    target=self._watch,
                    args=(happened, place, source, restart, connection if place == 0 else None),
                    name=f"keepsight-{place}",
                    daemon=True,
                )
                for place, source in enumerate(sources)
            ]
            for thread in threads:
                thread.start()
            num_running = len(threads)
            try:
                while num_running:
                    event = happened.get()
                    if isinstance(event, BaseException):
                        raise event
                    if event is None:
                        num_running -= 1
                    else:
                        yield event
            finally:
                self._unwanted.set()
                if num_running:
                    self.cancel()
                for thread in threads:
                    thread.join()
                for watcher in self._watchers:  # the shared model is about to close, and they can still be asked
                    watcher.use_model(self._model)

    def _watch(
        self,
        happened: "queue.SimpleQueue[SourceEvent | BaseException | None]",
        place: int,
        source: str | PathLike[str] | SourceAddress | Source,
        restart: bool,
        connection: Connection | None,
    ) -> None:
        try:
            for event in self._events_of(place, source, restart, connection):
                happened.put(event)
        except BaseException as error:  # noqa: BLE001 - raised in the consumer's thread
            happened.put(error)
        happened.put(None)

    def _events_of(
        self,
        place: int,
        source: str | PathLike[str] | SourceAddress | Source,
        restart: bool,
        connection: Connection | None,
    ) -> Generator[SourceEvent, None, None]:
        """Yield events of one source, its failure included."""
        try:
            with closing(self._watchers[place].events(source, restart=restart, connection=connection)) as events:
                for event in events:
                    yield SourceEvent(place, event)
                    if self._unwanted.is_set():
                        break
        except WorkCancelledError:
            logger.debug("source %d was left", place)
        except KeepsightError as error:
            yield SourceEvent(place, Failure(error))
