"""What a visual memory holds, and what of it goes in front of a clip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from keepsight.errors import SettingError


@dataclass(frozen=True, eq=False)
class RememberedClip:
    """What the memory holds of one clip. Positions and scores are on the CPU, wherever the tokens are.

    Attributes:
        clip_index: number of the clip in its stream, from 0.
        tokens: `[num_tokens, dim]`, one token or more, in temporal order.
        positions: int64 `[num_tokens]`, strictly rising: where each token stood among all visual tokens of the stream,
            before selection.
        scores: float32 `[num_tokens]`, the attention that each token had when it was selected.

    Raises:
        SettingError: the index is negative, a shape or type is another, or the positions do not rise from 0 or more.
    """

    clip_index: int
    tokens: Tensor
    positions: Tensor
    scores: Tensor

    def __post_init__(self) -> None:
        if self.clip_index < 0:
            raise SettingError(f"a clip's index is 0 or more, not {self.clip_index}")
        if self.tokens.ndim != 2 or self.tokens.shape[0] == 0:
            shape = list(self.tokens.shape)
            raise SettingError(f"a remembered clip has shape [num_tokens, dim], one or more, not {shape}")
        for name, values, dtype in (
            ("positions", self.positions, torch.int64),
            ("scores", self.scores, torch.float32),
        ):
            if values.shape != self.tokens.shape[:1] or values.dtype != dtype:
                raise SettingError(
                    f"{name} of {self.num_tokens} remembered tokens are {dtype} of shape [{self.num_tokens}], "
                    f"not {values.dtype} of shape {list(values.shape)}"
                )
        if bool(self.positions[0] < 0) or bool((self.positions.diff() <= 0).any()):
            raise SettingError("positions of remembered tokens are 0 or more and strictly rising")

    @property
    def num_tokens(self) -> int:
        """Tokens kept of this clip."""
        return self.tokens.shape[0]

    def take(self, rows: Tensor) -> "RememberedClip":
        """A copy with some of the tokens only: int64 `[num_taken]`, rising places among those held."""
        return replace(
            self,
            tokens=self.tokens.index_select(0, rows.to(self.tokens.device)),
            positions=self.positions[rows],
            scores=self.scores[rows],
        )


Clips = tuple[RememberedClip, ...]
"""Remembered clips, oldest first; indices and positions rise from each to the next."""


@dataclass(frozen=True, eq=False)
class MemoryView:
    """The tokens that go in front of a clip, oldest first.

    Attributes:
        tokens: `[num_tokens, dim]`.
        positions: int64 `[num_tokens]` on the CPU, strictly rising: where each one stood in the stream.
    """

    tokens: Tensor
    positions: Tensor


def num_tokens_of(clips: Sequence[RememberedClip]) -> int:
    """Tokens of all clips together."""
    return sum(clip.num_tokens for clip in clips)


def keep_rows(clips: Clips, kept: Tensor) -> Clips:
    """The clips with some of their tokens only; one that keeps all is the same object, one that keeps none is left out.

    Args:
        clips: oldest first.
        kept: bool `[num_tokens]` over the tokens of all clips, on the CPU.
    """
    parts = torch.split(kept, [clip.num_tokens for clip in clips])
    return tuple(
        clip if bool(part.all()) else clip.take(part.nonzero().flatten())
        for clip, part in zip(clips, parts, strict=True)
        if bool(part.any())
    )
