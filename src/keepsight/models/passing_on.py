"""A model in front of another one: what it does not do itself is passed on."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor

from keepsight.models.protocol import ModelInfo, VideoModel, VisualInput
from keepsight.prompts import DESCRIBE_PROMPT

Behind = TypeVar("Behind", bound=VideoModel)


class PassingOn(Generic[Behind]):
    """The part of `VideoModel` that needs no turn: see there. Describing and answering are the heir's own.

    Args:
        model: does the work.
    """

    def __init__(self, model: Behind) -> None:
        self._model = model

    @property
    def info(self) -> ModelInfo:
        """See `VideoModel.info`."""
        return self._model.info

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """See `VideoModel.token_grid`."""
        return self._model.token_grid(height, width)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """See `VideoModel.encode`."""
        return self._model.encode(frames)

    def embed(self, text: str) -> Tensor:
        """See `VideoModel.embed`."""
        return self._model.embed(text)

    def count_tokens(self, text: str) -> int:
        """See `VideoModel.count_tokens`."""
        return self._model.count_tokens(text)

    def count_prompt_tokens(
        self,
        context: str,
        question: str,
        num_visual_tokens: int = 0,
        *,
        num_memory_tokens: int = 0,
        like: VisualInput | None = None,
    ) -> int:
        """See `VideoModel.count_prompt_tokens`."""
        return self._model.count_prompt_tokens(
            context, question, num_visual_tokens, num_memory_tokens=num_memory_tokens, like=like
        )

    def max_memory_tokens(
        self,
        num_visual_tokens: int,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        like: VisualInput | None = None,
    ) -> int:
        """See `VideoModel.max_memory_tokens`."""
        return self._model.max_memory_tokens(num_visual_tokens, prompt, max_new_tokens=max_new_tokens, like=like)
