"""A single source with the face of several, so that one way of showing does for both."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keepsight.service.watch_together import SourceEvent
    from keepsight.sources.isolated import IsolatedReader
    from keepsight.watcher import Watcher


class OneSource:
    """A single source, with the face of `WatchTogether`; its errors are raised.

    Args:
        watcher: of the source.
        connection: the source, if it is open already.
    """

    def __init__(self, watcher: "Watcher", connection: "IsolatedReader | None") -> None:
        self.watchers = (watcher,)
        self._connection = connection

    def events(self, sources: Sequence[str], *, restart: bool) -> Generator["SourceEvent", None, None]:
        """As `WatchTogether.events`; raises what `Watcher.events` does."""
        from keepsight.service.watch_together import SourceEvent

        with closing(self.watchers[0].events(sources[0], restart=restart, connection=self._connection)) as events:
            for event in events:
                yield SourceEvent(0, event)
