"""A memory that makes room by merging neighbours that look alike."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from keepsight.memory.clips import Clips, keep_rows, num_tokens_of
from keepsight.memory.policy import Capacity


@dataclass(frozen=True)
class Merge:
    """Merge the two most similar of all tokens that are neighbours in time, until the rest fits.

    The idea is that of MovieChat (arXiv 2307.16449), whose long-term memory averages the most similar neighbouring
    frames; here the neighbours are tokens, and there is one memory. Similarity is the cosine, of equals the earlier
    pair is merged. The merged token is the mean of the two, whatever was merged into them before, has the mean of their
    scores, and stands where the earlier one stood, in its clip.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """See `MemoryPolicy.retain`."""
        if num_tokens_of(clips) <= capacity.budget_tokens:
            return clips
        if capacity.budget_tokens == 0:
            return ()
        tokens = torch.cat([clip.tokens for clip in clips])  # a copy, in which pairs are merged
        scores = torch.cat([clip.scores for clip in clips])
        kept, changed = _merge(tokens, scores, capacity.budget_tokens)
        sizes = [clip.num_tokens for clip in clips]
        parts = [torch.split(values, sizes) for values in (tokens, scores, changed)]
        updated = tuple(
            replace(clip, tokens=new_tokens.clone(), scores=new_scores.clone()) if bool(is_changed.any()) else clip
            for clip, new_tokens, new_scores, is_changed in zip(clips, *parts, strict=True)
        )
        return keep_rows(updated, kept)


def _merge(tokens: Tensor, scores: Tensor, num_left: int) -> tuple[Tensor, Tensor]:
    """Merge pairs in place, the later row of each into the earlier.

    Args:
        tokens: `[num_tokens, dim]`, changed here.
        scores: float32 `[num_tokens]`, changed here.
        num_left: rows to be left, 1 or more.

    Returns:
        bool `[num_tokens]` twice: the rows that are left, and those that were merged into.
    """
    left = list(range(len(tokens)))
    changed = torch.zeros(len(tokens), dtype=torch.bool)
    likeness = cosine_similarity(tokens[:-1].float(), tokens[1:].float()).nan_to_num().tolist()
    while len(left) > num_left:
        place = max(range(len(likeness)), key=likeness.__getitem__)
        earlier, later = left[place], left.pop(place + 1)
        tokens[earlier] = (tokens[earlier].float() + tokens[later].float()) / 2
        scores[earlier] = (scores[earlier] + scores[later]) / 2
        changed[earlier] = True
        del likeness[place]
        for pair in (place - 1, place):
            if 0 <= pair < len(likeness):
                likeness[pair] = _likeness(tokens[left[pair]], tokens[left[pair + 1]])
    kept = torch.zeros(len(tokens), dtype=torch.bool)
    kept[left] = True
    return kept, changed


def _likeness(first: Tensor, second: Tensor) -> float:
    return float(cosine_similarity(first.float(), second.float(), dim=0).nan_to_num())
