"""What an agent waits for: words in a caption, or a condition turning true."""

import re
from typing import Protocol

from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.server.mcp.watched import Watched

MOST_JUDGED_AT_ONCE = 100
"""Limit of clips judged per waiting caller when more are pending; older ones are skipped."""


class Criterion(Protocol):
    """Decides which clip ends the waiting. Clips come in order."""

    most_at_once: int | None
    """Limit of pending clips to check, newest first; None for all."""

    is_so: bool | None
    """Verdict on the previous clip."""

    async def begin_after(self, clip: CaptionRecord | None) -> None:
        """Look at the last clip before those waited for; None if there is none."""

    async def ends_with(self, clip: CaptionRecord) -> bool:
        """Whether this clip ends the waiting."""


class HasWords:
    """Criterion: each word starts a word of the caption.

    Args:
        words: words to find.
    """

    most_at_once: int | None = None
    is_so: bool | None = None

    def __init__(self, words: str) -> None:
        self._wanted = re.findall(r"\w+", words.casefold())

    async def begin_after(self, clip: CaptionRecord | None) -> None: ...

    async def ends_with(self, clip: CaptionRecord) -> bool:
        there = re.findall(r"\w+", clip.caption.casefold())
        return bool(self._wanted) and all(any(word.startswith(start) for word in there) for start in self._wanted)


class BecomesSo:
    """Criterion: the model says yes to a clip and not to the one before (edge-triggered).

    Args:
        watched: provides the model.
        stream: stream of the clips.
        question: question for the model.
    """

    most_at_once: int | None = MOST_JUDGED_AT_ONCE
    is_so: bool | None = None

    def __init__(self, watched: Watched, stream: StreamRecord, question: str) -> None:
        self._watched = watched
        self._stream = stream
        self._question = question

    async def begin_after(self, clip: CaptionRecord | None) -> None:
        """Judge the previous clip; a condition that is already true must turn false first."""
        if clip is not None:
            self.is_so = await self._watched.judge(self._stream, self._question, clip)

    async def ends_with(self, clip: CaptionRecord) -> bool:
        before, self.is_so = self.is_so, await self._watched.judge(self._stream, self._question, clip)
        return self.is_so and not before
