"""The learned selection as a selector: an object for `Settings(selector=...)` and the bench."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from keepsight.errors import ModelError, SettingError
from keepsight.method.selection import Retaining, Selected, check_clip, keep
from training.variants.attention import highest
from training.variants.learning import SelectionHead, head_of

HEAD_FILE = Path(__file__).parent / "learned" / "head.safetensors"


@dataclass(frozen=True)
class LearnedSelection(Retaining):
    """Keep the tokens with the highest scores of a trained head; attention takes no part.

    Attributes:
        path: file of the head's weights.
        tokens_per_step: visual tokens of each step.
    """

    path: str = str(HEAD_FILE)
    tokens_per_step: int = 9

    @torch.no_grad()
    def select(self, tokens: Tensor, scores: Tensor) -> Selected:
        """Select tokens; scores are ignored.

        Raises:
            SettingError: the tokens are no whole steps.
            ModelError: the head's file is missing.
        """
        num_visual_tokens = check_clip(tokens, scores)
        if num_visual_tokens % self.tokens_per_step:
            raise SettingError(
                f"a clip must have whole steps of {self.tokens_per_step} tokens, got {num_visual_tokens} tokens"
            )
        wanted = _head(self.path)(tokens.float().unflatten(0, (-1, self.tokens_per_step)))
        return keep(tokens, highest(wanted, self.retention))


@functools.cache
def _head(path: str) -> SelectionHead:
    if not Path(path).is_file():
        raise ModelError(f"{path} must be the weights of a selecting head, got no such file; train the variant learned")
    state = load_file(path)
    dim = (state["inner.weight"].shape[1] - 2) // 3
    return head_of(dim, state)
