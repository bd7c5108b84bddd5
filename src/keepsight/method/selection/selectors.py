"""Selectors: the paper's attention-based one, and baselines that keep or average tokens."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from keepsight.errors import ModelError
from keepsight.method.selection.base import Retaining, Selected, check_clip, count_kept, keep, keep_highest


@dataclass(frozen=True)
class AttentionTopK(Retaining):
    """Keep the tokens with the highest scores over the whole clip (paper, section 3, arXiv 2510.17364).

    Ties keep the earlier token. Scores must not contain NaN; their scale does not matter.
    """

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        check_clip(tokens, scores)
        check_scores(scores)
        return keep_highest(tokens, scores, self.retention)


def check_scores(scores: Tensor) -> None:
    """Check the scores of a selector that needs them.

    Raises:
        ModelError: some are NaN.
    """
    num_nan = int(scores.isnan().sum())
    if num_nan:
        raise ModelError(
            f"{num_nan} of {len(scores)} attention scores are NaN: the model's attention overflowed; try another dtype"
        )


@dataclass(frozen=True)
class Uniform(Retaining):
    """Keep evenly spaced tokens: the middles of `num_kept` equal parts."""

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select tokens; scores are ignored."""
        num_visual_tokens = check_clip(tokens, scores)
        num_kept = count_kept(num_visual_tokens, self.retention)
        return keep(tokens, (2 * torch.arange(num_kept) + 1) * num_visual_tokens // (2 * num_kept))


@dataclass(frozen=True)
class Random(Retaining):
    """Keep tokens drawn uniformly without replacement.

    The draw depends only on the seed and the bytes of the clip's tokens, so a resumed stream draws like an
    uninterrupted one. It costs one hash of the tokens, some tens of milliseconds for a clip of a 7B model.

    Attributes:
        seed: any integer.
    """

    seed: int = 0

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select tokens; scores are ignored."""
        num_visual_tokens = check_clip(tokens, scores)
        generator = torch.Generator().manual_seed(clip_seed(self.seed, tokens))
        drawn = torch.randperm(num_visual_tokens, generator=generator)
        return keep(tokens, drawn[: count_kept(num_visual_tokens, self.retention)].sort().values)


@dataclass(frozen=True)
class KeepAll:
    """Keep every token: the upper bound for comparison."""

    retention: ClassVar[float] = 1.0

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select all tokens; scores are ignored."""
        return keep(tokens, torch.arange(check_clip(tokens, scores)))


def clip_seed(seed: int, tokens: Tensor) -> int:
    """63-bit seed from a user's seed and a clip's content."""
    # View as bytes, since NumPy has no bfloat16.
    content = tokens.detach().cpu().contiguous().view(torch.uint8).numpy()
    digest = hashlib.blake2b(str(seed).encode(), digest_size=8)
    digest.update(content.data)
    return int.from_bytes(digest.digest(), "big") >> 1


@dataclass(frozen=True)
class MeanPool(Retaining):
    """Replace each of `num_kept` runs of consecutive tokens with its mean.

    Run i goes from `i * n // num_kept` to the start of run i + 1. Means are computed in float32 and returned in the
    tokens' dtype. The index of a run is its middle token, the earlier of two.
    """

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select means; scores are ignored."""
        num_visual_tokens = check_clip(tokens, scores)
        num_kept = count_kept(num_visual_tokens, self.retention)
        starts = torch.arange(num_kept + 1, device=tokens.device) * num_visual_tokens // num_kept
        means = mean_of_groups(tokens.detach().float(), torch.repeat_interleave(starts.diff()), num_kept)
        return Selected(tokens=means.to(tokens.dtype), indices=(starts[:-1] + starts[1:] - 1) // 2)


def mean_of_groups(tokens: Tensor, group_of_token: Tensor, num_groups: int) -> Tensor:
    """Mean of each group of tokens, summed in temporal order, so the result is deterministic.

    Args:
        tokens: float32 `[num_tokens, dim]`.
        group_of_token: int64 `[num_tokens]`, values below `num_groups`, every group non-empty.

    Returns:
        float32 `[num_groups, dim]`.
    """
    by_group = group_of_token.sort(stable=True).indices
    lengths = group_of_token.bincount(minlength=num_groups)
    return torch.segment_reduce(tokens.index_select(0, by_group), "mean", lengths=lengths)
