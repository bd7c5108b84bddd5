"""Selector interface and result."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from keepsight.errors import SettingError

DEFAULT_RETENTION = 0.0625
"""Share of a clip's visual tokens that enters the memory: 196 of 3,136 (paper, section 4, arXiv 2510.17364)."""

_MOST_SHOWN = 8
"""Number of indices shown in a message."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Selected tokens of a clip, in temporal order: what `Selector.select` returns.

    `keep` makes one from indices. Whether indices and tokens fit the clip is checked when they enter the memory (see
    `check_selected`).

    Attributes:
        tokens: `[num_kept, dim]` in the dtype and on the device of the clip's tokens, copied.
        indices: int64 `[num_kept]`, strictly increasing positions among the clip's visual tokens, from 0 and below
            `num_visual_tokens`; on any device. `MeanPool` and `KMeans` compute new tokens; each index is that of a
            representative token. The other selectors keep tokens unchanged, so row i is the token at `indices[i]`.

    Raises:
        SettingError: the shapes do not match, nothing is kept, or the indices do not increase.
    """

    tokens: Tensor
    indices: Tensor

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.shape[0] == 0:
            raise SettingError(
                f"kept tokens must have shape [num_kept, dim] with num_kept at least 1, got {list(self.tokens.shape)}"
            )
        if self.indices.shape != self.tokens.shape[:1] or self.indices.dtype != torch.int64:
            raise SettingError(
                f"indices must be int64 of shape [{self.tokens.shape[0]}], one per kept token, "
                f"got {self.indices.dtype} of shape {list(self.indices.shape)}"
            )
        if bool(self.indices[0] < 0) or bool((self.indices.diff() <= 0).any()):
            raise SettingError(
                f"indices of kept tokens must be at least 0 and strictly increasing, got {_shown(self.indices)}"
            )

    @property
    def num_kept(self) -> int:
        """Number of selected tokens."""
        return self.tokens.shape[0]


class Selector(Protocol):
    """Rule for which of a clip's visual tokens to remember. Has settings, never state."""

    @property
    def retention(self) -> float:
        """Share of visual tokens to keep, in (0, 1]."""

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select tokens over the whole clip, not frame by frame.

        Args:
            tokens: `[num_visual_tokens, dim]`, frame by frame, at least one token.
            scores: float32 `[num_visual_tokens]`, attention of the caption on each token.

        Raises:
            SettingError: the shapes do not match or there is no token.
            ModelError: the selector needs the scores and they contain NaN.
        """


@dataclass(frozen=True)
class Retaining:
    """Base with the setting that all selectors but `KeepAll` share.

    Attributes:
        retention: share of visual tokens to keep, in (0, 1].

    Raises:
        SettingError: the share is outside (0, 1].
    """

    retention: float = DEFAULT_RETENTION

    def __post_init__(self) -> None:
        check_retention(self.retention)


def check_retention(retention: float) -> None:
    """Check that a share is in (0, 1]; NaN is refused.

    Raises:
        SettingError: the share is outside (0, 1].
    """
    if not 0.0 < retention <= 1.0:
        raise SettingError(f"retention must be above 0 and at most 1, got {retention}")


def count_kept(num_visual_tokens: int, retention: float) -> int:
    """Number of tokens to keep: rounded half up, at least 1.

    Raises:
        SettingError: there is no token, or the share is outside (0, 1].
    """
    check_retention(retention)
    if num_visual_tokens < 1:
        raise SettingError(f"a clip must have at least one visual token, got {num_visual_tokens}")
    return min(num_visual_tokens, max(1, math.floor(num_visual_tokens * retention + 0.5)))


def check_clip(tokens: Tensor, scores: Tensor) -> int:
    """Check a clip's shapes and return its number of visual tokens.

    Raises:
        SettingError: tokens are not a matrix with at least one row, or scores do not match.
    """
    if tokens.ndim != 2 or tokens.shape[0] == 0:
        raise SettingError(f"a clip's tokens must have shape [num_visual_tokens, dim], got {list(tokens.shape)}")
    if scores.shape != tokens.shape[:1]:
        raise SettingError(
            f"scores of {tokens.shape[0]} visual tokens must have shape [{tokens.shape[0]}], got {list(scores.shape)}"
        )
    return tokens.shape[0]


def check_selected(selected: object, tokens: Tensor) -> Selected:
    """Check that a selector's result fits its clip, and return it.

    Args:
        selected: what `select` returned.
        tokens: the clip's tokens, `[num_visual_tokens, dim]`.

    Raises:
        SettingError: it is not a `Selected`, an index is beyond the clip, or its tokens are of another kind or not
            finite, as those of a model whose numbers overflow; the captions after them would be empty.
    """
    if not isinstance(selected, Selected):
        raise SettingError(f"the result must be a Selected, got {type(selected).__name__}")
    if int(selected.indices[-1]) >= len(tokens):
        raise SettingError(
            f"indices of kept tokens must be below {len(tokens)}, the number of visual tokens, "
            f"got {int(selected.indices[-1])}"
        )
    wanted, got = _kind(tokens), _kind(selected.tokens)
    if got != wanted:
        raise SettingError(f"kept tokens must be like those of the clip, {wanted}, got {got}")
    if not bool(torch.isfinite(selected.tokens).all()):
        raise SettingError("kept tokens must be finite, got NaN or infinity")
    return selected


def _shown(indices: Tensor) -> str:
    """The first indices, for a message."""
    shown = ", ".join(str(int(index)) for index in indices[:_MOST_SHOWN])
    return f"[{shown}{', ...' if len(indices) > _MOST_SHOWN else ''}]"


def _kind(tokens: Tensor) -> str:
    return f"{tokens.shape[1]} dims, {tokens.dtype}, on {tokens.device}"


def keep_highest(tokens: Tensor, ratings: Tensor, retention: float) -> Selected:
    """Tokens with the highest ratings over the whole clip; ties keep the earlier token.

    Args:
        tokens: `[num_visual_tokens, dim]`.
        ratings: `[num_visual_tokens]`, without NaN.
        retention: share to keep.
    """
    # topk does not order equal ratings; a stable sort keeps the earlier one first.
    ranked = ratings.detach().sort(descending=True, stable=True).indices
    return keep(tokens, ranked[: count_kept(len(tokens), retention)].sort().values)


def keep(tokens: Tensor, indices: Tensor) -> Selected:
    """Tokens at strictly increasing `indices`, copied so the clip can be freed."""
    indices = indices.to(tokens.device)
    return Selected(tokens=tokens.detach().index_select(0, indices), indices=indices)
