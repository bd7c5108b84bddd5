"""Bounded queue between a source and a possibly slower model, with a named policy for drops.

- `drop-oldest`: drop the frame that waited longest; the model stays close to live.
- `drop-newest`: drop the new frame; started clips are described completely.
- `thin`: drop every second waiting frame; a long stretch is watched at a lower rate instead of not at all.

A frame whose source can wait is not dropped: the producer waits for room.

Every drop is counted once, at its place in the stream.
"""

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from keepsight.errors import SettingError

Item = TypeVar("Item")


class DropPolicy(StrEnum):
    """Policy of a full queue; see the module docstring."""

    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"
    THIN = "thin"


@dataclass
class Queued(Generic[Item]):
    """An item taken from the queue.

    Attributes:
        item: the item.
        num_dropped_before: frames dropped between the previous item and this one.
        is_frame: whether it is a frame; other items, such as state changes, are never dropped.
    """

    item: Item
    num_dropped_before: int = 0
    is_frame: bool = True


class FrameQueue(Generic[Item]):
    """Bounded queue for one producer and one consumer thread.

    Args:
        capacity: maximum number of waiting frames.
        policy: what to drop when full.

    Raises:
        SettingError: the capacity is below 1.
    """

    def __init__(self, capacity: int, policy: DropPolicy) -> None:
        if capacity < 1:
            raise SettingError(f"queue capacity must be at least 1 frame, got {capacity}")
        self._capacity = capacity
        self._policy = policy
        self._queued: deque[Queued[Item]] = deque()
        self._num_frames = 0
        self._num_dropped_last = 0  # dropped after the last waiting item
        self._is_closed = False
        self._may_wait = True
        self._changed = threading.Condition()
        self.num_dropped = 0

    def __len__(self) -> int:
        """Number of waiting frames."""
        return self._num_frames

    def put(self, item: Item, *, waits: bool = False) -> None:
        """Add a frame, or drop one. Does nothing after `close`.

        Args:
            item: the frame.
            waits: wait for room instead of dropping, until `close` or `stop_waiting`.
        """
        with self._changed:
            if waits:
                self._changed.wait_for(lambda: self._has_room or self._is_closed or not self._may_wait)
            while not self._has_room and not self._is_closed:
                if self._policy is DropPolicy.DROP_NEWEST:
                    self._num_dropped_last += 1
                    self.num_dropped += 1
                    return
                self._make_room()
            self._add(Queued(item))

    def put_note(self, item: Item) -> None:
        """Add a non-frame item, which is never dropped. Does not wait."""
        with self._changed:
            self._add(Queued(item, is_frame=False))

    def get(self, timeout_seconds: float | None = None) -> Queued[Item] | None:
        """Next item; None if the queue is closed and empty, or on timeout."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queued) or self._is_closed, timeout_seconds)
            if not self._queued:
                return None
            taken = self._queued.popleft()
            self._num_frames -= taken.is_frame
            self._changed.notify_all()
            return taken

    def give_up_frames(self) -> None:
        """Drop and count all waiting frames."""
        with self._changed:
            while self._num_frames:
                self._make_room()
            self._changed.notify_all()

    def stop_waiting(self) -> None:
        """Stop `put` from waiting; a full queue then drops by its policy. Thread-safe."""
        with self._changed:
            self._may_wait = False
            self._changed.notify_all()

    def close(self) -> None:
        """Close for producers; waiting items can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def _has_room(self) -> bool:
        return self._num_frames < self._capacity

    def _add(self, queued: Queued[Item]) -> None:
        if self._is_closed:
            return
        queued.num_dropped_before += self._num_dropped_last
        self._num_dropped_last = 0
        self._queued.append(queued)
        self._num_frames += queued.is_frame
        self._changed.notify_all()

    def _make_room(self) -> None:
        """Drop the oldest frame, or every second one."""
        frames = [place for place, queued in enumerate(self._queued) if queued.is_frame]
        given_up = set(frames[:1] if self._policy is DropPolicy.DROP_OLDEST or len(frames) == 1 else frames[1::2])
        kept: deque[Queued[Item]] = deque()
        carried = 0
        for place, queued in enumerate(self._queued):
            if place in given_up:
                carried += queued.num_dropped_before + 1
                continue
            queued.num_dropped_before += carried
            carried = 0
            kept.append(queued)
        self._num_dropped_last += carried
        self._queued = kept
        self._num_frames -= len(given_up)
        self.num_dropped += len(given_up)
