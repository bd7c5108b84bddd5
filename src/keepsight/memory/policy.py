"""What every memory policy takes and returns."""

from dataclasses import dataclass
from typing import Protocol

from keepsight.errors import SettingError
from keepsight.memory.clips import Clips

DEFAULT_CAPACITY_CLIPS = 16
"""Clips that the memory spans: with 196 tokens each, half of the paper's window of 6,272 visual tokens."""


@dataclass(frozen=True)
class Capacity:
    """How much a memory holds.

    Attributes:
        clips: clips held at most by a memory of whole clips, 0 or more.
        tokens: tokens held at most, 0 or more; None for no limit but that of `clips`.
        first_clip_tokens: tokens kept of the stream's first clip, 0 before there is one.

    Raises:
        SettingError: a number is negative.
    """

    clips: int = DEFAULT_CAPACITY_CLIPS
    tokens: int | None = None
    first_clip_tokens: int = 0

    def __post_init__(self) -> None:
        if self.clips < 0:
            raise SettingError(f"capacity_clips is 0 or more, not {self.clips}")
        if self.tokens is not None and self.tokens < 0:
            raise SettingError(f"capacity_tokens is 0 or more, or None for no limit, not {self.tokens}")
        if self.first_clip_tokens < 0:
            raise SettingError(f"first_clip_tokens is 0 or more, not {self.first_clip_tokens}")

    @property
    def budget_tokens(self) -> int:
        """Tokens held at most by a policy that does not hold whole clips: as many as first in, first out would hold.

        That is the smaller of the two limits, so that policies compared under the same settings have equal room.
        """
        of_clips = self.clips * self.first_clip_tokens
        return of_clips if self.tokens is None else min(self.tokens, of_clips)


class MemoryPolicy(Protocol):
    """A rule for what is held when there is more than fits. It has settings, never state.

    What is held depends on what was held before and on the new clip only, so that a stream that is resumed ends where
    an uninterrupted one does.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """What to hold of the clips.

        Args:
            clips: what was held and the new clip at the end. No tensor of it may be changed.
            capacity: how much may be held.

        Returns:
            Clips in temporal order, each with a token or more. What is left as it was is the same object; what is
            changed has tensors of its own. Clips that fit are returned as they are.
        """
