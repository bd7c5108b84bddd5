"""Selectors that keep tokens as they are and look at no score: baselines."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from keepsight.selection.base import Retaining, Selected, check_clip, count_kept, keep


@dataclass(frozen=True)
class Uniform(Retaining):
    """Keep tokens at even distances over the clip: the middles of `num_kept` equal parts."""

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """See `Selector.select`; the scores are not read."""
        num_visual_tokens = check_clip(tokens, scores)
        num_kept = count_kept(num_visual_tokens, self.retention)
        return keep(tokens, (2 * torch.arange(num_kept) + 1) * num_visual_tokens // (2 * num_kept))


@dataclass(frozen=True)
class Random(Retaining):
    """Keep tokens drawn evenly without replacement.

    The draw depends on the seed and on the bytes of the clip's tokens, on nothing that was drawn before: another clip
    gets another draw, and a stream that resumes after a crash draws the same as one that was never cut off. The cost
    is one hash of the tokens, some tens of milliseconds for a clip of a 7B model.

    Attributes:
        seed: any whole number.
    """

    seed: int = 0

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """See `Selector.select`; the scores are not read."""
        num_visual_tokens = check_clip(tokens, scores)
        generator = torch.Generator().manual_seed(_clip_seed(self.seed, tokens))
        drawn = torch.randperm(num_visual_tokens, generator=generator)
        return keep(tokens, drawn[: count_kept(num_visual_tokens, self.retention)].sort().values)


@dataclass(frozen=True)
class KeepAll:
    """Keep every token: the upper bound that the others are compared with."""

    retention: ClassVar[float] = 1.0

    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """See `Selector.select`; the scores are not read."""
        return keep(tokens, torch.arange(check_clip(tokens, scores)))


def _clip_seed(seed: int, tokens: Tensor) -> int:
    """A 63-bit seed from a user's seed and the content of a clip."""
    # Viewed as bytes, because NumPy knows no bfloat16.
    content = tokens.detach().cpu().contiguous().view(torch.uint8).numpy()
    digest = hashlib.blake2b(str(seed).encode(), digest_size=8)
    digest.update(content.data)
    return int.from_bytes(digest.digest(), "big") >> 1
