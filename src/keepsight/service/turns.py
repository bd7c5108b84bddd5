"""Whose turn it is on a model that many streams share: clips in batches, questions in between.

- Clips that are ready are described together, the one that has waited longest first, so no stream is passed over: a
  stream has one clip at a time, and its next one goes to the end. A clip waits `max_wait_seconds` at most for others to
  come along while the model is free.
- A question goes first: it begins at the next pass of the model, in the middle of a batch, too. From then on it gets
  `question_passes` passes for each one of the batch, so captions go on at a known share of their speed. Between two
  questions a waiting batch is begun, so questions that never cease do not keep captions from beginning.
"""

import time
from collections import deque
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

from keepsight.errors import SettingError
from keepsight.models.protocol import Description, ScoreRule, VisualInput


@dataclass(frozen=True)
class BatchSettings:
    """How clips of several streams share a model.

    Attributes:
        max_clips: clips described together at most.
        max_wait_seconds: how long a clip waits for others at most, while the model is free.
        question_passes: passes of a question for each pass of a batch that is in work at the same time.

    Raises:
        SettingError: a number is outside what is allowed.
    """

    max_clips: int = 8
    max_wait_seconds: float = 0.02
    question_passes: int = 4

    def __post_init__(self) -> None:
        if self.max_clips < 1 or self.question_passes < 1:
            raise SettingError("max_clips and question_passes are 1 or more")
        if not self.max_wait_seconds >= 0:
            raise SettingError(f"max_wait_seconds is {self.max_wait_seconds}; allowed are 0 and more")


@dataclass(frozen=True, eq=False)
class WaitingClip:
    """A clip that waits to be described, and where its description goes.

    Attributes:
        visual: memory and tokens.
        prompt: the captioning instruction.
        max_new_tokens: longest caption.
        scoring: which attention makes the scores.
        reply: gets the description, or the error.
        arrived: `time.monotonic()` when it came.
    """

    visual: VisualInput
    prompt: str
    max_new_tokens: int
    scoring: ScoreRule
    reply: "Future[Description]" = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)

    @property
    def kind(self) -> Hashable:
        """Clips of one kind can be described together."""
        return (self.prompt, self.max_new_tokens, self.scoring)


@dataclass(frozen=True, eq=False)
class WaitingQuestion:
    """A question whose prompt is made, and where the pieces of its answer go.

    Attributes:
        pieces: the answer as the model makes it; each piece costs the model a pass or several.
        told: gets each piece, then None, or the error.
    """

    pieces: Iterator[str]
    told: "SimpleQueue[str | BaseException | None]" = field(default_factory=SimpleQueue)


class Turns:
    """What waits for the model. Not locked: its owner sees to that.

    Args:
        settings: how clips share the model.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings
        self.clips: deque[WaitingClip] = deque()
        self.questions: deque[WaitingQuestion] = deque()

    def seconds_until_batch(self, now: float) -> float | None:
        """How long until a batch should begin, 0 for at once; None where no clip waits."""
        if not self.clips:
            return None
        oldest = self.clips[0]
        together = sum(clip.kind == oldest.kind for clip in self.clips)
        if together >= self._settings.max_clips:
            return 0.0
        return max(0.0, oldest.arrived + self._settings.max_wait_seconds - now)

    def take_batch(self) -> list[WaitingClip]:
        """The clip that has waited longest and those that can be described with it, in the order of their coming."""
        kind = self.clips[0].kind
        batch = [clip for clip in self.clips if clip.kind == kind][: self._settings.max_clips]
        for clip in batch:
            self.clips.remove(clip)
        return batch
