"""Several sources watched side by side in one process, over one model and one journal."""

import queue
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from keepsight.errors import KeepsightError
from keepsight.journal import Journal, Quota
from keepsight.models.protocol import BatchModel
from keepsight.service.batched_model import BatchedModel
from keepsight.service.turns import BatchSettings
from keepsight.settings import Settings
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import StateChange
from keepsight.watcher import Watcher
from keepsight.watching.stream_state import Moment


@dataclass(frozen=True)
class Failure:
    """Watching a source came to an end by an error; the others go on."""

    error: KeepsightError


@dataclass(frozen=True)
class SourceEvent:
    """Something happened to one of the sources.

    Attributes:
        source: place of the source among those given.
        event: a moment, a change of state, or its failure.
    """

    source: int
    event: Moment | StateChange | Failure


class WatchTogether:
    """Watches sources, each in a thread of its own; their clips are described in batches.

    Args:
        model: described with; clips of several streams go through it together.
        journal: holds all streams.
        settings: of every stream.
        sources: how sources are read.
        quota: how much the journal may hold; no limit if None.
    """

    def __init__(
        self,
        model: BatchModel,
        journal: Journal,
        settings: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
    ) -> None:
        self._model = model
        self._journal = journal
        self._settings = settings or Settings()
        self._sources = sources or SourceSettings()
        self._quota = quota
        self._unwanted = threading.Event()
        self._watchers: list[Watcher] = []

    @property
    def watchers(self) -> Sequence[Watcher]:
        """One for each source, in their order: they can be asked."""
        return tuple(self._watchers)

    def stop(self) -> None:
        """From any thread: end soon. Live sources caption what is pending; files stop after the clip in work."""
        self._unwanted.set()
        for watcher in self._watchers:
            watcher.stop()

    def events(self, sources: Sequence[str], *, restart: bool = False) -> Generator[SourceEvent, None, None]:
        """What happens to all sources as it happens, until every one has ended or failed.

        Args:
            sources: paths and addresses.
            restart: watch all from the beginning as new streams.

        Raises:
            BaseException: what no thread may raise, such as an error of the program itself; the others are stopped.
        """
        happened: queue.SimpleQueue[SourceEvent | BaseException | None] = queue.SimpleQueue()
        with BatchedModel(self._model, BatchSettings(max_clips=max(1, len(sources)))) as shared:
            self._watchers = [
                # One of them looks after the quota of the journal that all share.
                Watcher(shared, self._journal, self._settings, self._sources, self._quota if place == 0 else None)
                for place in range(len(sources))
            ]
            threads = [
                threading.Thread(
                    target=self._watch, args=(place, source, restart, happened), name=f"keepsight-{place}", daemon=True
                )
                for place, source in enumerate(sources)
            ]
            for thread in threads:
                thread.start()
            try:
                num_running = len(threads)
                while num_running:
                    event = happened.get()
                    if isinstance(event, BaseException):
                        raise event
                    if event is None:
                        num_running -= 1
                    else:
                        yield event
            finally:
                self.stop()
                for thread in threads:
                    thread.join()

    def _watch(
        self,
        place: int,
        source: str,
        restart: bool,
        happened: "queue.SimpleQueue[SourceEvent | BaseException | None]",
    ) -> None:
        try:
            with closing(self._watchers[place].events(source, restart=restart)) as events:
                for event in events:
                    happened.put(SourceEvent(place, event))
                    if self._unwanted.is_set():
                        break
        except KeepsightError as error:
            happened.put(SourceEvent(place, Failure(error)))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that takes the events
            happened.put(error)
        happened.put(None)
