"""A memory that lets what mattered little go first, and everything in time."""

from dataclasses import dataclass

import torch

from keepsight.errors import SettingError
from keepsight.memory.clips import Clips, keep_rows, num_tokens_of
from keepsight.memory.policy import Capacity


@dataclass(frozen=True)
class Decay:
    """Keep the tokens of the highest score after decay: half of it is left after `half_life_clips` clips.

    The score is the attention that selected a token, and its age is counted in clips back from the newest. A token of
    high score so outlives newer ones of low score, for a while. Of equals the newer token is kept; a score of NaN
    counts as 0. Nothing is kept for being new alone: a clip may leave no token.

    Attributes:
        half_life_clips: clips after which a token counts half, over 0.

    Raises:
        SettingError: the half-life is not a number over 0.
    """

    half_life_clips: float = 8.0

    def __post_init__(self) -> None:
        if not 0 < self.half_life_clips < float("inf"):
            raise SettingError(f"half_life_clips is a number over 0, not {self.half_life_clips}")

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        """See `MemoryPolicy.retain`."""
        if num_tokens_of(clips) <= capacity.budget_tokens:
            return clips
        # The logarithm ranks alike and does not vanish: 2 ** -age is 0 in float32 before 200 half-lives have passed.
        ranks = [
            clip.scores.double().nan_to_num(nan=0.0).clamp(min=0).log2()
            - (clips[-1].clip_index - clip.clip_index) / self.half_life_clips
            for clip in clips
        ]
        newest_first = torch.cat(ranks).flip(0)
        kept = torch.zeros(len(newest_first), dtype=torch.bool)
        kept[newest_first.sort(descending=True, stable=True).indices[: capacity.budget_tokens]] = True
        return keep_rows(clips, kept.flip(0))
