"""Memory policies by name, and those that drop tokens: FIFO, decay, novelty."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from keepsight.errors import SettingError
from keepsight.method.memory.clips import Capacity, Clips, MemoryPolicy, keep_rows, num_tokens_of
from keepsight.method.memory.condensing import Newest, StreamMedoids
from keepsight.method.memory.merging import Medoids, Merge
from keepsight.method.memory.signatures import likeness_of
from keepsight.plugins import Part
from keepsight.settings import PARTS


@dataclass(frozen=True)
class Fifo:
    """Drop whole clips, oldest first, until both capacities hold (paper, section 3, arXiv 2510.17364).

    A clip that alone exceeds `capacity_tokens` keeps its newest tokens, so the memory always holds something of the
    last clip.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
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


@dataclass(frozen=True)
class Decay:
    """Keep the tokens with the highest scores after decay with a half-life of `half_life_clips`.

    The score is the attention that selected a token; its age is counted in clips from the newest. A token with a high
    score can outlive newer ones. Ties keep the newer token; a NaN score counts as 0. Newness alone keeps nothing: a
    clip may lose all its tokens.

    Attributes:
        half_life_clips: clips after which a score halves, above 0.

    Raises:
        SettingError: the half-life is not above 0.
    """

    half_life_clips: float = 8.0

    def __post_init__(self) -> None:
        if not 0 < self.half_life_clips < float("inf"):
            raise SettingError(f"half_life_clips must be a number above 0, got {self.half_life_clips}")

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        if num_tokens_of(clips) <= capacity.budget_tokens:
            return clips
        # Rank by the logarithm, which does not vanish: 2 ** -age underflows float32 within 200 half-lives.
        ranks = [
            clip.scores.double().nan_to_num(nan=0.0).clamp(min=0).log2()
            - (clips[-1].clip_index - clip.clip_index) / self.half_life_clips
            for clip in clips
        ]
        newest_first = torch.cat(ranks).flip(0)
        kept = torch.zeros(len(newest_first), dtype=torch.bool)
        kept[newest_first.sort(descending=True, stable=True).indices[: capacity.budget_tokens]] = True
        return keep_rows(clips, kept.flip(0))


@dataclass(frozen=True)
class Novelty:
    """Keep the newest clip, then repeatedly the token farthest from all kept ones.

    Farthest-point clustering (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985) with cosine
    distance, since norms of visual tokens vary widely without meaning novelty. Tokens are compared by their signatures
    (`signatures.py`). Ties keep the newer token. A newest clip that exceeds the capacity is thinned in the same way,
    starting from its last token; nothing older is kept then.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        num_tokens, budget_tokens = num_tokens_of(clips), capacity.budget_tokens
        if num_tokens <= budget_tokens:
            return clips
        if budget_tokens == 0:
            return ()
        num_newest = clips[-1].num_tokens
        if num_newest >= budget_tokens:
            clips, num_start = clips[-1:], 1
        else:
            num_start = num_newest
        newest_first = np.concatenate([clip.signatures[::-1] for clip in reversed(clips)])
        kept = farthest_points(newest_first, num_start, budget_tokens)
        return keep_rows(clips, torch.from_numpy(kept[::-1].copy()))


def farthest_points(signatures: NDArray[np.float32], num_start: int, num_kept: int) -> NDArray[np.bool_]:
    """Starting rows, and rows added to them, each the least like the kept row that it is most like.

    Args:
        signatures: `[num_tokens, width]`, see `signatures_of`.
        num_start: initial rows, at least 1.
        num_kept: rows to keep, `num_start` to `num_tokens`.

    Returns:
        bool `[num_tokens]`, `num_kept` of them true; ties keep the earlier row.
    """
    likeness = likeness_of(signatures)
    kept = np.zeros(len(signatures), dtype=np.bool_)
    kept[:num_start] = True
    nearest = likeness[:num_start].max(axis=0)
    nearest[:num_start] = np.inf
    for _ in range(num_kept - num_start):
        farthest = int(nearest.argmin())
        kept[farthest], nearest[farthest] = True, np.inf
        np.maximum(nearest, likeness[farthest], out=nearest)
    return kept


POLICIES: Final[Mapping[str, type[MemoryPolicy]]] = MappingProxyType(
    {
        "fifo": Fifo,
        "merge": Merge,
        "decay": Decay,
        "medoids": Medoids,
        "novelty": Novelty,
        "newest": Newest,
        "stream-medoids": StreamMedoids,
    }
)
"""Built-in policies by name; the first is the default."""


def make_policy(name: str | Part = "fifo", **settings: Any) -> MemoryPolicy:
    """Policy by name; settings it does not have (`seed` of `fifo`) are ignored. An object is returned unchanged.

    Raises:
        SettingError: no such policy, or it refuses a setting.
    """
    made: MemoryPolicy = PARTS["memory_policy"].make(name, POLICIES, settings)
    return made
