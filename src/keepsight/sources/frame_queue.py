"""Frames between a source and a model that may be slower: bounded, with a named rule for what is given up.

- `wait`: nothing is; the source waits. For files, whose time does not run away.
- `drop-oldest`: what has waited longest goes; the model is never far behind the present.
- `drop-newest`: what just came goes; what was begun is described whole.
- `thin`: every second frame of those that wait goes; a long stretch is seen at a lower rate instead of not at all.

Every frame that is given up is counted once, at the place in the stream where it is missing.
"""

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from keepsight.errors import SettingError

Item = TypeVar("Item")


class DropPolicy(StrEnum):
    """What a full queue does: see the head of this file."""

    WAIT = "wait"
    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"
    THIN = "thin"


@dataclass
class Queued(Generic[Item]):
    """What comes out of the queue.

    Attributes:
        item: what was put in.
        num_dropped_before: frames between the item before and this one that were given up.
        is_frame: frames may be given up; other items, such as changes of state, never are.
    """

    item: Item
    num_dropped_before: int = 0
    is_frame: bool = True


class FrameQueue(Generic[Item]):
    """A bounded queue for one thread that puts and one that takes.

    Args:
        capacity: frames that may wait.
        policy: what happens when one more comes.

    Raises:
        SettingError: the capacity is below 1.
    """

    def __init__(self, capacity: int, policy: DropPolicy) -> None:
        if capacity < 1:
            raise SettingError(f"a queue holds 1 frame or more, not {capacity}")
        self._capacity = capacity
        self._policy = policy
        self._queued: deque[Queued[Item]] = deque()
        self._num_frames = 0
        self._num_dropped_last = 0  # after the last item that waits
        self._is_closed = False
        self._changed = threading.Condition()
        self.num_dropped = 0

    def __len__(self) -> int:
        """Frames that wait."""
        return self._num_frames

    def put(self, item: Item) -> None:
        """Add a frame, or give one up. Waits for room under `wait` only. After `close` nothing is added."""
        with self._changed:
            while self._num_frames >= self._capacity and not self._is_closed:
                if self._policy is DropPolicy.WAIT:
                    self._changed.wait()
                elif self._policy is DropPolicy.DROP_NEWEST:
                    self._num_dropped_last += 1
                    self.num_dropped += 1
                    return
                else:
                    self._make_room()
            self._add(Queued(item))

    def put_note(self, item: Item) -> None:
        """Add what is no frame and is never given up; there are few of them. Never waits."""
        with self._changed:
            self._add(Queued(item, is_frame=False))

    def get(self, timeout_seconds: float | None = None) -> Queued[Item] | None:
        """The next item; None when the queue is closed and empty, or nothing came in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queued) or self._is_closed, timeout_seconds)
            if not self._queued:
                return None
            taken = self._queued.popleft()
            self._num_frames -= taken.is_frame
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Nothing more will be put in; what waits can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _add(self, queued: Queued[Item]) -> None:
        if self._is_closed:
            return
        queued.num_dropped_before += self._num_dropped_last
        self._num_dropped_last = 0
        self._queued.append(queued)
        self._num_frames += queued.is_frame
        self._changed.notify_all()

    def _make_room(self) -> None:
        """Give up the oldest frame, or every second one."""
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
