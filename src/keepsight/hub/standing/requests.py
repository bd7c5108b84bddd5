"""Captions queued for judging by waiting callers, beside those due for standing questions."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from keepsight.errors import ModelError
from keepsight.hub.standing.judging import Condition, Judge
from keepsight.journal import CaptionRecord


@dataclass(frozen=True, eq=False)
class Request:
    """A caption to judge and the future of its verdict; a cancelled request is not judged.

    Attributes:
        condition: what it is judged by.
        clip: has the caption.
        verdict: whether the condition holds.
    """

    condition: Condition
    clip: CaptionRecord
    verdict: "Future[bool]" = field(default_factory=Future)

    def judge(self, judge: Judge) -> None:
        """Judge the caption; errors go to the future."""
        if not self.verdict.set_running_or_notify_cancel():
            return
        try:
            self.verdict.set_result(judge.says_yes(self.condition, self.clip))
        except BaseException as error:  # noqa: BLE001 - raised in the caller that waits for the verdict
            self.verdict.set_exception(error)


class Requests:
    """First-in, first-out queue of requests. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._is_closed = False

    def add(self, condition: Condition, clip: CaptionRecord) -> "Future[bool]":
        """Queue a request.

        Raises:
            ModelError: the queue is closed.
        """
        request = Request(condition, clip)
        with self._lock:
            if self._is_closed:
                raise _ended()
            self._waiting.append(request)
        return request.verdict

    def take(self) -> Request | None:
        """Oldest request that was not cancelled, or None."""
        with self._lock:
            while self._waiting:
                request = self._waiting.popleft()
                if not request.verdict.cancelled():
                    return request
        return None

    def close(self) -> None:
        """Refuse all waiting and future requests."""
        with self._lock:
            self._is_closed = True
            refused, self._waiting = self._waiting, deque()
        for request in refused:
            if request.verdict.set_running_or_notify_cancel():
                request.verdict.set_exception(_ended())


def _ended() -> ModelError:
    return ModelError("the server is shutting down")
