"""Selection that is learned with the captions: a head scores tokens, and the loss of captions reaches it.

The kept tokens are the highest in score plus noise, so no gradient passes the choice itself. As in straight-through
estimation (Bengio and others, arXiv 1308.3432), a kept token is used as if by a gate: forward 1, backward the sigmoid
of its score less the lowest kept one. The gate's logarithm is added to the logit of all attention on the token: a gate
of 0 would remove the token exactly, and the gradient tells what more or less attention on it changes in the loss.
"""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from keepsight.method.selection.base import count_kept
from training.encoded_stories import EncodedStory, Memory, MemoryRule, remembered
from training.variants.attention import highest

HIDDEN = 64
MOST_NOISE, LEAST_NOISE = 1.0, 0.1
"""Scale of the noise in the first and last step: at 1, tokens are drawn with the odds of the scores' exponentials."""


class SelectionHead(nn.Module):
    """Scores of a clip's tokens from what each shows, its change since the step before, and what is usual in its cell.

    It starts with equal scores.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(3 * dim + 2, HIDDEN)
        self.outer = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores `[..., steps, cells]` of clips `[..., steps, cells, dim]`."""
        before = torch.cat([tokens[..., :1, :, :], tokens[..., :-1, :, :]], dim=-3)
        change = tokens - before
        unusual = tokens - tokens.median(dim=-3, keepdim=True).values
        sizes = torch.stack([change.norm(dim=-1), unusual.norm(dim=-1)], dim=-1) / tokens.shape[-1] ** 0.5
        scores: Tensor = self.outer(gelu(self.inner(torch.cat([tokens, change, unusual, sizes], dim=-1))))
        return scores.squeeze(-1)


def straight_through(scores: Tensor, num_kept: int) -> tuple[Tensor, Tensor]:
    """The highest scores of a clip `[num_tokens]`: increasing indices, and logarithms of their gates, all 0 forward."""
    chosen = scores.detach().topk(num_kept).indices.sort().values
    kept = scores[chosen]
    soft = torch.sigmoid(kept - kept.detach().min())
    return chosen, torch.log1p(soft - soft.detach())


def gumbel(shape: torch.Size, rng: random.Random) -> Tensor:
    """Standard Gumbel noise; the highest `k` of logits with it are a draw without replacement."""
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    return -torch.log(torch.empty(shape).exponential_(generator=generator))


def explored_memory(head: SelectionHead, noise: float) -> MemoryRule:
    """Rule of training: the highest noisy scores, with the bias through which the head learns."""

    def draw(encoded: EncodedStory, first: int, last: int, retention: float, rng: random.Random) -> Memory:
        scores = head(encoded.tokens[first:last].float()).flatten(1)
        scores = scores + noise * gumbel(scores.shape, rng)
        num_kept = count_kept(encoded.tokens_per_clip, retention)
        picked = [straight_through(own, num_kept) for own in scores]
        memory = remembered(
            encoded, {clip: chosen for clip, (chosen, _) in zip(range(first, last), picked, strict=True)}
        )
        bias = torch.cat([scores.new_zeros(0), *(own for _, own in picked)])
        return Memory(memory.tokens, memory.places, bias=bias)

    return draw


def learned_memory(head: SelectionHead) -> MemoryRule:
    """Rule of use: the highest scores, without noise."""

    @torch.no_grad()
    def draw(
        encoded: EncodedStory,
        first: int,
        last: int,
        retention: float,
        rng: random.Random,  # noqa: ARG001 - nothing is drawn
    ) -> Memory:
        scores = head(encoded.tokens[first:last].float())
        return remembered(encoded, {first + at: highest(own, retention) for at, own in enumerate(scores)})

    return draw


def exploring(head: SelectionHead, num_steps: int) -> Callable[[int], MemoryRule]:
    """Rule of each step of a training of `num_steps`: the noise falls evenly."""

    def rule_at(step: int) -> MemoryRule:
        done = step / max(num_steps - 1, 1)
        return explored_memory(head, MOST_NOISE + (LEAST_NOISE - MOST_NOISE) * done)

    return rule_at


def head_of(dim: int, state: dict[str, Any] | None = None) -> SelectionHead:
    """A head with equal weights in every run, or with saved ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = SelectionHead(dim)
    if state is not None:
        head.load_state_dict(state)
    return head
