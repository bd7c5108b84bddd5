"""Scheduling of a model shared by several streams: clips in batches, questions in between.

- Ready clips are described together, the longest waiting first, so no stream starves: a stream has one clip at a time,
  and its next one queues last. While the model is idle, a clip waits at most `max_wait_seconds` for others.
- A question goes first: it starts at the model's next pass, even within a batch. It then gets `question_passes` passes
  for each pass of the batch, so captions continue at a known share of their speed. Between two questions a waiting
  batch starts, so endless questions do not starve captions.
"""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

from keepsight.errors import SettingError
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.models.cancellation import Cancellation


@dataclass(frozen=True)
class BatchSettings:
    """How clips of several streams share a model.

    Attributes:
        max_clips: maximum batch size.
        max_wait_seconds: maximum wait of a clip for others while the model is idle.
        question_passes: passes of a question for each pass of a concurrent batch.

    Raises:
        SettingError: a number is out of range.
    """

    max_clips: int = 8
    max_wait_seconds: float = 0.02
    question_passes: int = 4

    def __post_init__(self) -> None:
        if self.max_clips < 1 or self.question_passes < 1:
            raise SettingError("max_clips and question_passes must be at least 1")
        if not self.max_wait_seconds >= 0:
            raise SettingError(f"max_wait_seconds must be at least 0, got {self.max_wait_seconds}")


@dataclass(frozen=True, eq=False)
class WaitingClip:
    """A clip waiting to be described, and the recipient of its description.

    Attributes:
        visual: memory and tokens.
        request: how to caption it. Clips with equal requests share a batch, so it has no `recent_captions`.
        reply: receives the description or the error.
        scopes: cancellation scopes of its callers.
        arrived: `time.monotonic()` of its arrival.
    """

    visual: VisualInput
    request: DescribeRequest
    scopes: tuple[Cancellation, ...] = ()
    reply: "Future[Description]" = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled."""
        return any(scope.is_cancelled for scope in self.scopes)


@dataclass(frozen=True, eq=False)
class WaitingQuestion:
    """A question with its prompt built, and the recipient of its answer.

    Attributes:
        pieces: the answer as it is generated; each piece costs one or more model passes.
        output: receives each piece, then None, or the error.
    """

    pieces: Iterator[str]
    output: "SimpleQueue[str | BaseException | None]" = field(default_factory=SimpleQueue)


class Turns:
    """Work waiting for the model. Not thread-safe: its owner locks.

    Args:
        settings: how clips share the model.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings
        self.clips: deque[WaitingClip] = deque()
        self.questions: deque[WaitingQuestion] = deque()

    def seconds_until_batch(self, now: float) -> float | None:
        """Time until the next batch should start, 0 for now; None if no clip waits."""
        if not self.clips:
            return None
        oldest = self.clips[0]
        together = sum(clip.request == oldest.request for clip in self.clips)
        if together >= self._settings.max_clips:
            return 0.0
        return max(0.0, oldest.arrived + self._settings.max_wait_seconds - now)

    def take_batch(self) -> list[WaitingClip]:
        """Take the longest waiting clip and those that can share its batch, in order of arrival."""
        request = self.clips[0].request
        batch = [clip for clip in self.clips if clip.request == request][: self._settings.max_clips]
        for clip in batch:
            self.clips.remove(clip)
        return batch
