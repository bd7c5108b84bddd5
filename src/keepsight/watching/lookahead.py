"""An iterator that works ahead in a thread of its own, so that reading and encoding overlap with describing."""

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.05
"""How often a thread that waits for room looks whether it is still wanted."""


@dataclass(frozen=True)
class _End:
    """Nothing comes any more: the items are over, or getting them failed."""

    error: BaseException | None


class _Producer(threading.Thread, Generic[Item]):
    """Fills a queue from an iterator until it ends, fails or is told to stop."""

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
        except BaseException as raised:  # noqa: BLE001 - handed on, and raised where the items are used
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


def look_ahead(items: Iterator[Item], depth: int = 1) -> Generator[Item, None, None]:
    """The items in their order; while one is being used, up to `depth` more are made in another thread.

    An error in making an item is raised after all items before it. Closing the generator stops the thread once the
    item that it is making is done, and closes `items` if it is a generator.

    Args:
        items: used by the other thread alone.
        depth: items that may wait, 1 or more; one more may be in the making.
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
        producer.join()
        if isinstance(items, Generator):
            items.close()
