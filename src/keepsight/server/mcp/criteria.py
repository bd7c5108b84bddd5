"""What an agent waits for: words in a caption, or that it becomes so by the model's judgement."""

import re
from typing import Protocol

from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.server.mcp.watched import Watched

MOST_JUDGED_AT_ONCE = 100
"""Clips that the model judges for one who waits, if so many are there; older ones are left out."""


class Criterion(Protocol):
    """Tells in which clip the waiting ends. Clips come in their order."""

    most_at_once: int | None
    """Clips that are looked at where more are there, the newest; None for all."""

    is_so: bool | None
    """What the model said of the clip before."""

    async def begin_after(self, clip: CaptionRecord | None) -> None:
        """Look at the clip that stands before those that are waited for; None where there is none."""

    async def ends_with(self, clip: CaptionRecord) -> bool:
        """Whether this is the clip that is waited for."""


class HasWords:
    """See `Criterion`: each of some words begins a word of the caption.

    Args:
        words: as they are written.
    """

    most_at_once: int | None = None
    is_so: bool | None = None

    def __init__(self, words: str) -> None:
        self._wanted = re.findall(r"\w+", words.casefold())

    async def begin_after(self, clip: CaptionRecord | None) -> None:
        """See `Criterion`; words that stay are found again."""

    async def ends_with(self, clip: CaptionRecord) -> bool:
        """See `Criterion`."""
        there = re.findall(r"\w+", clip.caption.casefold())
        return bool(self._wanted) and all(any(word.startswith(start) for word in there) for start in self._wanted)


class BecomesSo:
    """See `Criterion`: the model says yes of a clip, and did not of the one before; as `standing.edge` has it.

    Args:
        watched: has the model.
        stream: whose clips.
        question: what the model is asked.
    """

    most_at_once: int | None = MOST_JUDGED_AT_ONCE
    is_so: bool | None = None

    def __init__(self, watched: Watched, stream: StreamRecord, question: str) -> None:
        self._watched = watched
        self._stream = stream
        self._question = question

    async def begin_after(self, clip: CaptionRecord | None) -> None:
        """See `Criterion`; what is so already must cease before it can become so."""
        if clip is not None:
            self.is_so = await self._watched.judge(self._stream, self._question, clip)

    async def ends_with(self, clip: CaptionRecord) -> bool:
        """See `Criterion`."""
        before, self.is_so = self.is_so, await self._watched.judge(self._stream, self._question, clip)
        return self.is_so and not before
