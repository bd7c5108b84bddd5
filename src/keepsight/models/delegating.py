"""A wrapper model that delegates everything a subclass does not override."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor

from keepsight.method.protocol import (
    AnsweringModel,
    AnswerRequest,
    DescribeRequest,
    Description,
    ModelInfo,
    VideoModel,
    VisualInput,
)

Counting = TypeVar("Counting", bound=AnsweringModel)
Behind = TypeVar("Behind", bound=VideoModel)


class DelegatingCounts(Generic[Counting]):
    """Delegates embeddings and token counts to a model, where these members are documented.

    Args:
        model: embeds and counts.
    """

    def __init__(self, model: Counting) -> None:
        self._model = model

    def embed(self, text: str) -> Tensor:
        return self._model.embed(text)

    def count_tokens(self, text: str) -> int:
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
        return self._model.count_prompt_tokens(
            context, question, num_visual_tokens, num_memory_tokens=num_memory_tokens, like=like
        )


class DelegatingModel(DelegatingCounts[Behind]):
    """`VideoModel` that delegates to the wrapped model, where members are documented."""

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        return self._model.token_grid(height, width)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        return self._model.encode(frames)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        return self._model.describe(clip, request)

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        return self._model.answer(request)

    def max_memory_tokens(
        self,
        num_visual_tokens: int,
        request: DescribeRequest = DescribeRequest(),
        *,
        like: VisualInput | None = None,
    ) -> int:
        return self._model.max_memory_tokens(num_visual_tokens, request, like=like)
