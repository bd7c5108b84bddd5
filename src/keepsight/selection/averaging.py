"""The selector that averages neighbours in time: a baseline."""

from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.selection.base import Retaining, Selected, check_clip, count_kept


@dataclass(frozen=True)
class MeanPool(Retaining):
    """Replace each of `num_kept` runs of neighbouring tokens by its mean.

    The runs are as even as whole numbers allow: run i goes from `i * n // num_kept` up to the start of run i + 1.
    Means are taken in float32 and returned in the dtype of the tokens. The index of a run is its middle token, the
    earlier of two.
    """

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """See `Selector.select`; the scores are not read."""
        num_visual_tokens = check_clip(tokens, scores)
        num_kept = count_kept(num_visual_tokens, self.retention)
        starts = torch.arange(num_kept + 1, device=tokens.device) * num_visual_tokens // num_kept
        means = mean_of_groups(tokens.detach().float(), torch.repeat_interleave(starts.diff()), num_kept)
        return Selected(tokens=means.to(tokens.dtype), indices=(starts[:-1] + starts[1:] - 1) // 2)


def mean_of_groups(tokens: Tensor, group_of_token: Tensor, num_groups: int) -> Tensor:
    """Mean of each group of tokens; the sums run in temporal order, so the result does not vary between calls.

    Args:
        tokens: float32 `[num_tokens, dim]`.
        group_of_token: int64 `[num_tokens]`, values below `num_groups`; no group is empty.

    Returns:
        float32 `[num_groups, dim]`.
    """
    by_group = group_of_token.sort(stable=True).indices
    lengths = group_of_token.bincount(minlength=num_groups)
    return torch.segment_reduce(tokens.index_select(0, by_group), "mean", lengths=lengths)
