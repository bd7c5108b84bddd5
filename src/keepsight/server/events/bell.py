"""Threads that watch, waking tasks that tell of it."""

import asyncio
import threading
from collections import defaultdict


class Bell:
    """Is rung from any thread when something is new, and waited for in an event loop.

    Nothing is missed: whoever reads `num_rings` before he looks for news, and waits with it afterwards, is woken by
    any ring since.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._num_rings = 0

    @property
    def num_rings(self) -> int:
        """How often it has been rung."""
        return self._num_rings

    def ring(self) -> None:
        """From any thread: there is something new."""
        with self._lock:
            self._num_rings += 1
            self._lock.notify_all()
            for loop, woken in self._waiting:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(woken.set)

    def wait_in_thread(self, num_rings: int, timeout_seconds: float) -> bool:
        """`wait` where there is no event loop."""
        with self._lock:
            return self._lock.wait_for(lambda: self._num_rings != num_rings, timeout_seconds)

    async def wait(self, num_rings: int, timeout_seconds: float) -> bool:
        """Wait until it has been rung more than so many times; False if that took too long."""
        woken = asyncio.Event()
        entry = (asyncio.get_running_loop(), woken)
        with self._lock:
            if self._num_rings != num_rings:
                return True
            self._waiting.add(entry)
        try:
            async with asyncio.timeout(timeout_seconds):
                await woken.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting.discard(entry)
        return True


class StreamBells:
    """A bell for each stream, and one for all of them. All methods may be called from any thread.

    Attributes:
        any: rings when there is something new of any stream.
    """

    def __init__(self) -> None:
        self.any = Bell()
        self._lock = threading.Lock()
        self._bells: defaultdict[str, Bell] = defaultdict(Bell)

    def of(self, stream_id: str) -> Bell:
        """Rings when there is something new of a stream."""
        with self._lock:
            return self._bells[stream_id]

    def ring(self, stream_id: str) -> None:
        """There is something new of a stream."""
        self.of(stream_id).ring()
        self.any.ring()

    def remove(self, stream_id: str) -> None:
        """There will be nothing new any more: whoever waits for it is woken a last time."""
        self.ring(stream_id)
        with self._lock:
            self._bells.pop(stream_id, None)

    def ring_all(self) -> None:
        """Wake everybody."""
        with self._lock:
            bells = [*self._bells.values(), self.any]
        for bell in bells:
            bell.ring()
