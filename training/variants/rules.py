"""Rules that fill the memory in training; a variant differs from the others in its rule alone."""

import random
from dataclasses import replace

import torch
from torch import Tensor

from training.encoded_stories import EncodedStory, Memory, MemoryRule, drawn, random_memory, remembered
from training.variants.attention import attended_memory


def uniform_memory(encoded: EncodedStory, first: int, last: int, retention: float, rng: random.Random) -> Memory:
    """Tokens of each clip, all equally likely."""
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    weights = torch.ones(encoded.tokens_per_clip)
    return remembered(encoded, {clip: drawn(weights, retention, generator) for clip in range(first, last)})


def gapped_memory(encoded: EncodedStory, first: int, last: int, retention: float, rng: random.Random) -> Memory:
    """Memory of the recipe, `random_memory`, half of the time at its original positions."""
    memory = random_memory(encoded, first, last, retention, rng)
    return replace(memory, offsets=stream_offsets(encoded, memory, last)) if rng.random() < 0.5 else memory


def stream_offsets(encoded: EncodedStory, memory: Memory, clip: int) -> Tensor:
    """Distance of remembered tokens to a clip's first token in the stream, int64 `[n]`."""
    places = [place * encoded.tokens_per_clip + index for place, index in memory.places]
    return clip * encoded.tokens_per_clip - torch.tensor(places, dtype=torch.int64)


def with_own_numbers(rule: MemoryRule) -> MemoryRule:
    """A rule that takes one number from the shared generator, however many it draws: all variants see equal items."""

    def draw(encoded: EncodedStory, first: int, last: int, retention: float, rng: random.Random) -> Memory:
        return rule(encoded, first, last, retention, random.Random(rng.getrandbits(64)))

    return draw


LEARNED = "learned"
RULES: dict[str, MemoryRule] = {
    "events": random_memory,
    "uniform": uniform_memory,
    "attention": attended_memory,
    "gaps": gapped_memory,
}
"""Rules by variant. `events` is the recipe's own, the control; that of `learned` changes with its head (`learning`)."""
VARIANTS = (*RULES, LEARNED)
