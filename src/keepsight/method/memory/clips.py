"""Contents, capacity and policy protocol of the visual memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.memory.signatures import signatures_of


@dataclass(frozen=True, eq=False)
class RememberedClip:
    """Tokens of one clip held in memory. Positions and scores are on the CPU, wherever the tokens are.

    Attributes:
        clip_index: number of the clip in its stream, from 0.
        tokens: `[num_tokens, dim]`, at least one token, in temporal order.
        positions: int64 `[num_tokens]`, strictly increasing: index of each token among all visual tokens of the stream,
            before selection.
        scores: float32 `[num_tokens]`, attention of each token when it was selected.

    Raises:
        SettingError: the index is negative, a shape or dtype is wrong, or the positions are not strictly increasing
            from 0.
    """

    clip_index: int
    tokens: Tensor
    positions: Tensor
    scores: Tensor

    def __post_init__(self) -> None:
        if self.clip_index < 0:
            raise SettingError(f"a clip's index must be at least 0, got {self.clip_index}")
        if self.tokens.ndim != 2 or self.tokens.shape[0] == 0:
            shape = list(self.tokens.shape)
            raise SettingError(
                f"tokens of a remembered clip must have shape [num_tokens, dim] with at least one token, got {shape}"
            )
        for name, values, dtype in (
            ("positions", self.positions, torch.int64),
            ("scores", self.scores, torch.float32),
        ):
            if values.shape != self.tokens.shape[:1] or values.dtype != dtype:
                raise SettingError(
                    f"{name} of {self.num_tokens} remembered tokens must be {dtype} of shape [{self.num_tokens}], "
                    f"got {values.dtype} of shape {list(values.shape)}"
                )
        if bool(self.positions[0] < 0) or bool((self.positions.diff() <= 0).any()):
            raise SettingError("positions of remembered tokens must be at least 0 and strictly increasing")

    @property
    def num_tokens(self) -> int:
        """Number of tokens kept of this clip."""
        return self.tokens.shape[0]

    @cached_property
    def signatures(self) -> NDArray[np.float32]:
        """Signatures of the tokens, by which some policies compare them: see `signatures_of`."""
        return signatures_of(self.tokens)

    def take(self, rows: Tensor) -> "RememberedClip":
        """Copy with a subset of tokens: int64 `[num_taken]`, increasing indices among those held."""
        taken = replace(
            self,
            tokens=self.tokens.index_select(0, rows.to(self.tokens.device)),
            positions=self.positions[rows],
            scores=self.scores[rows],
        )
        if "signatures" in vars(self):
            vars(taken)["signatures"] = self.signatures[rows.numpy()]
        return taken


Clips = tuple[RememberedClip, ...]
"""Remembered clips, oldest first; clip indices and positions increase across clips."""


@dataclass(frozen=True, eq=False)
class MemoryView:
    """Tokens placed before a clip, oldest first.

    Attributes:
        tokens: `[num_tokens, dim]`.
        positions: int64 `[num_tokens]` on the CPU, strictly increasing: position of each in the stream.
    """

    tokens: Tensor
    positions: Tensor


def num_tokens_of(clips: Sequence[RememberedClip]) -> int:
    """Total number of tokens."""
    return sum(clip.num_tokens for clip in clips)


def keep_rows(clips: Clips, kept: Tensor) -> Clips:
    """Clips with a subset of their tokens; an unchanged clip is the same object, an empty one is dropped.

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


DEFAULT_CAPACITY_CLIPS = 16
"""Default length in clips: with 196 tokens each, half of the paper's window of 6,272 visual tokens."""


@dataclass(frozen=True)
class Capacity:
    """Capacity of a memory.

    Attributes:
        clips: limit for policies that hold whole clips, at least 0.
        tokens: limit of tokens, at least 0; None for no limit beside `clips`.
        first_clip_tokens: tokens kept of the stream's first clip; 0 before it.

    Raises:
        SettingError: a number is negative.
    """

    clips: int = DEFAULT_CAPACITY_CLIPS
    tokens: int | None = None
    first_clip_tokens: int = 0

    def __post_init__(self) -> None:
        if self.clips < 0:
            raise SettingError(f"capacity_clips must be at least 0, got {self.clips}")
        if self.tokens is not None and self.tokens < 0:
            raise SettingError(f"capacity_tokens must be at least 0, or None for no limit, got {self.tokens}")
        if self.first_clip_tokens < 0:
            raise SettingError(f"first_clip_tokens must be at least 0, got {self.first_clip_tokens}")

    @property
    def budget_tokens(self) -> int:
        """Token limit of policies that do not hold whole clips: what a FIFO would hold.

        It is the smaller of the two limits, so policies compared under equal settings have equal room.
        """
        of_clips = self.clips * self.first_clip_tokens
        return of_clips if self.tokens is None else min(self.tokens, of_clips)


class MemoryPolicy(Protocol):
    """Rule for what to hold when not everything fits. Has settings, never state.

    The result depends only on what was held and the new clip, so a resumed stream ends like an uninterrupted one.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """Choose what to hold.

        Args:
            clips: held clips, followed by the new one. Tensors must not be modified.
            capacity: limits.

        Returns:
            Clips in temporal order, each with at least one token. Unchanged clips are the same objects, changed ones
                have new tensors. If everything fits, the input is returned.
        """
