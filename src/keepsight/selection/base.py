"""What every selector takes and returns."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from keepsight.errors import SettingError

DEFAULT_RETENTION = 0.0625
"""Share of a clip's visual tokens that enters the memory: 196 of 3,136 (paper, section 4, arXiv 2510.17364)."""


@dataclass(frozen=True, eq=False)
class Selected:
    """What of one clip enters the visual memory, in temporal order.

    Attributes:
        tokens: `[num_kept, dim]` in the dtype and on the device of the clip's tokens, a copy of its own.
        indices: int64 `[num_kept]`, strictly increasing positions among the clip's visual tokens. `AttentionTopK`,
            `Uniform`, `Random` and `KeepAll` keep tokens as they are, so row i is the token at `indices[i]`.
            `MeanPool` and `KMeans` make new tokens, and each index is the place of one that stands for them.

    Raises:
        SettingError: the shapes do not match, nothing is kept, or the indices do not increase.
    """

    tokens: Tensor
    indices: Tensor

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.shape[0] == 0:
            raise SettingError(f"kept tokens have shape [num_kept, dim], one or more, not {list(self.tokens.shape)}")
        if self.indices.shape != self.tokens.shape[:1] or self.indices.dtype != torch.int64:
            raise SettingError(
                f"indices are int64 of shape [{self.tokens.shape[0]}], one for each kept token, "
                f"not {self.indices.dtype} of shape {list(self.indices.shape)}"
            )
        if bool(self.indices[0] < 0) or bool((self.indices.diff() <= 0).any()):
            raise SettingError("indices of kept tokens are 0 or more and strictly increasing")

    @property
    def num_kept(self) -> int:
        """Tokens that enter the memory."""
        return self.tokens.shape[0]


class Selector(Protocol):
    """A rule for which of a clip's visual tokens are worth remembering. It holds settings, never state."""

    @property
    def retention(self) -> float:
        """Share of the clip's visual tokens that is kept, in (0, 1]."""

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Choose what of one clip enters the memory, over the whole clip and not frame by frame.

        Args:
            tokens: `[num_visual_tokens, dim]`, frame after frame, at least one token.
            scores: float32 `[num_visual_tokens]`, attention of the caption on each token.

        Raises:
            SettingError: the shapes do not match or there is no token.
            ModelError: the selector needs the scores and they hold NaN.
        """


@dataclass(frozen=True)
class Retaining:
    """The setting that all selectors but `KeepAll` share.

    Attributes:
        retention: share of the clip's visual tokens that is kept, in (0, 1].

    Raises:
        SettingError: the share is outside (0, 1].
    """

    retention: float = DEFAULT_RETENTION

    def __post_init__(self) -> None:
        check_retention(self.retention)


def check_retention(retention: float) -> None:
    """Refuse a share outside (0, 1], NaN included.

    Raises:
        SettingError: the share is outside (0, 1].
    """
    if not 0.0 < retention <= 1.0:
        raise SettingError(f"retention is a share above 0 and at most 1, not {retention}")


def count_kept(num_visual_tokens: int, retention: float) -> int:
    """How many tokens a retention keeps: the nearest whole number, a half rounded up, and never none.

    196 of 3,136 and 16 of 256 at 0.0625; 2 of 3 at 0.5.

    Raises:
        SettingError: there is no token, or the share is outside (0, 1].
    """
    check_retention(retention)
    if num_visual_tokens < 1:
        raise SettingError(f"a clip has at least one visual token, not {num_visual_tokens}")
    return min(num_visual_tokens, max(1, math.floor(num_visual_tokens * retention + 0.5)))


def check_clip(tokens: Tensor, scores: Tensor) -> int:
    """The number of visual tokens in a clip whose shapes are right.

    Raises:
        SettingError: the tokens are not a matrix with at least one row, or there is not one score for each.
    """
    if tokens.ndim != 2 or tokens.shape[0] == 0:
        raise SettingError(f"a clip's tokens have shape [num_visual_tokens, dim], not {list(tokens.shape)}")
    if scores.shape != tokens.shape[:1]:
        raise SettingError(
            f"a clip of {tokens.shape[0]} visual tokens has scores of shape [{tokens.shape[0]}], "
            f"not {list(scores.shape)}"
        )
    return tokens.shape[0]


def keep(tokens: Tensor, indices: Tensor) -> Selected:
    """The tokens at strictly increasing `indices`, copied so that the clip itself can be freed."""
    indices = indices.to(tokens.device)
    return Selected(tokens=tokens.detach().index_select(0, indices), indices=indices)
