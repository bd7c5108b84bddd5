"""An iterator that works ahead in a thread, so reading and encoding overlap with captioning."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.05
"""Interval at which a thread waiting for room checks for cancellation."""


@dataclass(frozen=True)
class _End:
    """End marker: the items ended, or getting one failed."""

    error: BaseException | None


class _Producer(threading.Thread, Generic[Item]):
    """Fills a queue from an iterator until it ends, fails or is stopped."""

    def __init__(self, items: Iterable[Item], depth: int) -> None:
        super().__init__(name="keepsight-lookahead", daemon=True)
        self._items = items
        self.queue: queue.Queue[Item | _End] = queue.Queue(depth)
        self.unwanted = threading.Event()

    def run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as raised:  # noqa: BLE001 - passed on, and raised in the consumer
            error = raised
        self._put(_End(error))

    def _put(self, item: Item | _End) -> bool:
        while not self.unwanted.is_set():
            try:
                self.queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def look_ahead(
    items: Iterator[Item], depth: int = 1, on_leaving: Callable[[], object] = lambda: None
) -> Generator[Item, None, None]:
    """Yield items in order, producing up to `depth` ahead in another thread.

    An item's error is raised after all earlier items. Closing the generator stops the thread after its current item,
    and closes `items` if it is a generator.

    Args:
        items: iterator, used by that thread only.
        depth: items that may wait, at least 1; one more may be in progress.
        on_leaving: called on closing, before waiting for the item in progress.
    """
    producer = _Producer(items, depth)
    producer.start()
    try:
        while True:
            item = producer.queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        producer.unwanted.set()
        on_leaving()
        producer.join()
        if isinstance(items, Generator):
            items.close()
