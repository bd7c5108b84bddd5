"""The paper's memory: first in, first out."""

from dataclasses import dataclass

import torch

from keepsight.memory.clips import Clips, num_tokens_of
from keepsight.memory.policy import Capacity


@dataclass(frozen=True)
class Fifo:
    """Whole clips leave, oldest first, until both capacities hold (paper, section 3, arXiv 2510.17364).

    A clip that alone has more than `capacity_tokens` stays with its newest tokens, so that the memory is never blind to
    what it saw last.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """See `MemoryPolicy.retain`."""
        if not clips or capacity.clips == 0 or capacity.tokens == 0:
            return ()
        tokens = num_tokens_of(clips) if capacity.tokens is None else capacity.tokens
        held = list(clips)
        while len(held) > 1 and (len(held) > capacity.clips or num_tokens_of(held) > tokens):
            del held[0]
        newest = held[-1]
        if newest.num_tokens > tokens:
            held[-1] = newest.take(torch.arange(newest.num_tokens - tokens, newest.num_tokens))
        return tuple(held)
