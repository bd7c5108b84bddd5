"""Selectors without a language model: keep tokens that differ from what is usual at their place or in their picture.

They rate the vision tower's tokens by squared Euclidean distance, in float32, and keep the highest rated ones over the
whole clip. Ties keep the earlier token, so a clip in which nothing differs keeps its first tokens.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.selection.base import Retaining, Selected, check_clip, keep_highest


@dataclass(frozen=True)
class Contrasting(Retaining, ABC):
    """Base of selectors that rate a token by its step and cell.

    Attributes:
        token_grid: rows and columns of tokens per step. None is filled for each clip; a clip without one counts each
            token as a step of its own.
    """

    token_grid: tuple[int, int] | None = None

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select tokens; scores are ignored.

        Raises:
            SettingError: as for every selector, or the tokens are not whole steps of the grid.
        """
        check_clip(tokens, scores)
        return keep_highest(tokens, self.rate(in_steps(tokens, self.token_grid)).flatten(), self.retention)

    @abstractmethod
    def rate(self, steps: Tensor) -> Tensor:
        """Rate tokens; the highest are kept.

        Args:
            steps: float32 `[num_steps, tokens_per_step, dim]`.

        Returns:
            `[num_steps, tokens_per_step]`.
        """


@dataclass(frozen=True)
class Change(Contrasting):
    """Keep tokens that changed most since the step before, at the same cell.

    The first step is compared with the second one. Streaming video models drop unchanged tokens by the same measure:
    Yao et al., "TimeChat-Online", arXiv 2504.17343.
    """

    def rate(self, steps: Tensor) -> Tensor:
        """Squared distance to the same cell of the step before; 0 in a single step."""
        if len(steps) == 1:
            return steps.new_zeros(steps.shape[:2])
        changes = (steps[1:] - steps[:-1]).square().sum(dim=2)
        return torch.cat([changes[:1], changes])


@dataclass(frozen=True)
class Median(Contrasting):
    """Keep tokens farthest from the clip's background, the median over time at each cell.

    Background subtraction by a temporal median: Cucchiara et al., "Detecting moving objects, ghosts, and shadows in
    video streams", 2003.
    """

    def rate(self, steps: Tensor) -> Tensor:
        """Squared distance to the median of the same cell over all steps."""
        return (steps - median(steps, dim=0)).square().sum(dim=2)


@dataclass(frozen=True)
class Saliency(Contrasting):
    """Keep tokens farthest from the rest of their own picture: a detector of things without training.

    The global contrast of Achanta et al., "Frequency-tuned salient region detection", 2009, which takes the distance of
    each place from the mean of the picture. Here it is the median, so that a thing that covers some of the cells does
    not move what it is compared with.
    """

    def rate(self, steps: Tensor) -> Tensor:
        """Squared distance to the median of all cells of the same step."""
        return (steps - median(steps, dim=1)).square().sum(dim=2)


def in_steps(tokens: Tensor, token_grid: tuple[int, int] | None) -> Tensor:
    """Tokens by step and cell: float32 `[num_steps, tokens_per_step, dim]`.

    Args:
        tokens: `[num_visual_tokens, dim]`, step by step.
        token_grid: rows and columns per step; None for steps of one token.

    Raises:
        SettingError: the tokens are not whole steps.
    """
    rows, columns = token_grid or (1, 1)
    if min(rows, columns) < 1 or len(tokens) % (rows * columns):
        raise SettingError(f"visual tokens must be whole steps of {rows} x {columns}, got {len(tokens)}")
    return tokens.detach().float().reshape(-1, rows * columns, tokens.shape[1])


def median(values: Tensor, dim: int) -> Tensor:
    """Median of each number along an axis, which stays with length 1; of an even count the mean of the middle two."""
    ordered, last = values.sort(dim=dim).values, values.shape[dim] - 1
    return (ordered.narrow(dim, last // 2, 1) + ordered.narrow(dim, (last + 1) // 2, 1)) / 2
