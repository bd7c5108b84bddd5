"""Captions that somebody waits to have judged, beside those that standing questions are due for."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from keepsight.errors import ModelError
from keepsight.journal import CaptionRecord
from keepsight.server.standing.judging import Condition, Judge


@dataclass(frozen=True, eq=False)
class Request:
    """A caption to be judged, and where the verdict goes; one that is cancelled is not judged.

    Attributes:
        condition: what it is judged by.
        clip: has the caption.
        verdict: whether it is so.
    """

    condition: Condition
    clip: CaptionRecord
    verdict: "Future[bool]" = field(default_factory=Future)

    def judge(self, judge: Judge) -> None:
        """Have it judged; an error goes where the verdict would."""
        if not self.verdict.set_running_or_notify_cancel():
            return
        try:
            self.verdict.set_result(judge.says_yes(self.condition, self.clip))
        except BaseException as error:  # noqa: BLE001 - raised in whoever waits for the verdict
            self.verdict.set_exception(error)


class Requests:
    """Requests in the order in which they came. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._is_closed = False

    def add(self, condition: Condition, clip: CaptionRecord) -> "Future[bool]":
        """Ask for a verdict.

        Raises:
            ModelError: nothing is judged any more.
        """
        request = Request(condition, clip)
        with self._lock:
            if self._is_closed:
                raise _ended()
            self._waiting.append(request)
        return request.verdict

    def take(self) -> Request | None:
        """The one that has waited longest and still waits, or None."""
        with self._lock:
            while self._waiting:
                request = self._waiting.popleft()
                if not request.verdict.cancelled():
                    return request
        return None

    def close(self) -> None:
        """Refuse all that wait, and all that come later."""
        with self._lock:
            self._is_closed = True
            refused, self._waiting = self._waiting, deque()
        for request in refused:
            if request.verdict.set_running_or_notify_cancel():
                request.verdict.set_exception(_ended())


def _ended() -> ModelError:
    return ModelError("the server is about to end")
