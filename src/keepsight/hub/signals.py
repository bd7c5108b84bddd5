"""Signals from watching threads to waiting threads and tasks."""

import asyncio
import threading
from collections import defaultdict


class Signal:
    """Notified from any thread on news; awaited in an event loop or a thread.

    No notification is lost: read `num_notified`, look for news, then wait with that number; any later notification
    wakes.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._num_notified = 0

    @property
    def num_notified(self) -> int:
        """Number of notifications so far."""
        return self._num_notified

    def notify(self) -> None:
        """Wake all waiters. Thread-safe."""
        with self._lock:
            self._num_notified += 1
            self._lock.notify_all()
            for loop, woken in self._waiting:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(woken.set)

    def wait_in_thread(self, num_notified: int, timeout_seconds: float) -> bool:
        """Blocking variant of `wait`, without an event loop."""
        with self._lock:
            return self._lock.wait_for(lambda: self._num_notified != num_notified, timeout_seconds)

    async def wait(self, num_notified: int, timeout_seconds: float) -> bool:
        """Wait until `num_notified` has changed; return False on timeout."""
        woken = asyncio.Event()
        entry = (asyncio.get_running_loop(), woken)
        with self._lock:
            if self._num_notified != num_notified:
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


class StreamSignals:
    """A signal per stream, and one for all of them. Thread-safe.

    Attributes:
        any: notified on news of any stream.
    """

    def __init__(self) -> None:
        self.any = Signal()
        self._lock = threading.Lock()
        self._signals: defaultdict[str, Signal] = defaultdict(Signal)

    def of(self, stream_id: str) -> Signal:
        """Signal of a stream."""
        with self._lock:
            return self._signals[stream_id]

    def notify(self, stream_id: str) -> None:
        """Notify waiters of a stream, and of any stream."""
        self.of(stream_id).notify()
        self.any.notify()

    def remove(self, stream_id: str) -> None:
        """Wake all waiters of a stream a last time, and drop its signal."""
        self.notify(stream_id)
        with self._lock:
            self._signals.pop(stream_id, None)

    def notify_all(self) -> None:
        """Wake all waiters."""
        with self._lock:
            signals = [*self._signals.values(), self.any]
        for signal in signals:
            signal.notify()
