"""What Keepsight asks of a video-language model; one adapter per architecture implements it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.prompts import DESCRIBE_PROMPT
from keepsight.settings import HEAD_RULES


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded model is and needs.

    Attributes:
        name: the name it was loaded by (bundled name, folder or hub id).
        architecture: the Hugging Face class that runs it.
        num_parameters: count of weights.
        device: torch device, such as `cpu` or `cuda:0`.
        dtype: weights' type, such as `float16`.
        memory_bytes: bytes of the weights plus the estimated working memory of describing one full context.
        dim: width of visual tokens and text embeddings.
        context_window_tokens: longest prompt plus reply.
        frame_size_pixels: height and width that frames are resized to.
        token_grid: rows and columns of visual tokens in one frame.
        score_layers: decoder layers, 1-based, whose attention makes the scores.
    """

    name: str
    architecture: str
    num_parameters: int
    device: str
    dtype: str
    memory_bytes: int
    dim: int
    context_window_tokens: int
    frame_size_pixels: tuple[int, int]
    token_grid: tuple[int, int]
    score_layers: tuple[int, ...]

    @property
    def tokens_per_frame(self) -> int:
        """Visual tokens of one frame, without any separator."""
        return self.token_grid[0] * self.token_grid[1]


@dataclass(frozen=True)
class ScoreRule:
    """Which attention makes the scores of a clip's visual tokens, and how heads are put together.

    Attributes:
        layers: decoder layers, 1-based; None takes the model's own (`ModelInfo.score_layers`), `"all"` every one.
        heads: `mean` over heads (paper, section 3), or `max`: a token counts as much as the head that wants it most.

    Raises:
        SettingError: `heads` is neither.
    """

    layers: tuple[int, ...] | Literal["all"] | None = None
    heads: str = "mean"

    def __post_init__(self) -> None:
        if self.heads not in HEAD_RULES:
            raise SettingError(f"score_heads must be one of {', '.join(HEAD_RULES)}, not {self.heads!r}")


PAPER_SCORING = ScoreRule()
"""The paper's layers at the model's depth, mean over heads."""


@dataclass(frozen=True)
class Description:
    """A caption and how much each visual token mattered to it.

    Attributes:
        caption: text without special tokens, stripped.
        scores: float32 `[num_visual_tokens]`, attention on the clip's own tokens (paper, section 3: mean over caption
            tokens, heads and layers of the softmax over the whole row, not renormalised).
        num_caption_tokens: tokens that the model generated, end marker included.
    """

    caption: str
    scores: Tensor
    num_caption_tokens: int


class VideoModel(Protocol):
    """An adapter around a video-language model. Frames are RGB; all tensors live on the model's device."""

    @property
    def info(self) -> ModelInfo:
        """What the model is and needs."""

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames in time order.

        Args:
            frames: uint8 RGB pictures `[height, width, 3]`, any size, at least one.

        Returns:
            `[len(frames) * tokens_per_frame, dim]` in the model's dtype, no separator, frame after frame.
        """

    def describe(
        self,
        memory: Tensor,
        tokens: Tensor,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
        memory_offsets: Tensor | None = None,
    ) -> Description:
        """Caption a clip with memory in front of it, greedily, and score the clip's tokens.

        Args:
            memory: `[num_memory_tokens, dim]`, oldest first; may be empty (`[0, dim]`).
            tokens: `[num_visual_tokens, dim]`, the clip from `encode`.
            prompt: the captioning instruction.
            max_new_tokens: longest caption.
            scoring: which attention makes the scores.
            memory_offsets: int64 `[num_memory_tokens]`, falling, 1 or more: how many visual tokens before the clip's
                first one each memory token stood in the stream. Its position is then that, with gaps where tokens were
                not kept. None puts memory and clip at contiguous positions (paper, section 3).

        Raises:
            SettingError: a layer is asked for that the model does not have, or the offsets do not fit the memory.
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """

    def answer(
        self, context: str, question: str, visual_tokens: Tensor | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """Answer a question over `prompts.captions_context` text, greedily, in pieces as they are generated.

        Args:
            context: the block of captions, may be empty.
            question: the user's question.
            visual_tokens: `[num_tokens, dim]` that stand in the place of the video, if any.

        Raises:
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """

    def embed(self, text: str) -> Tensor:
        """Mean of the language model's input embeddings of the text's tokens: float32 `[dim]`, on the CPU.

        Special tokens are left out. A text without tokens gives zeros.
        """

    def count_tokens(self, text: str) -> int:
        """Tokens of a text as it would stand in a prompt, without special tokens added."""

    def count_prompt_tokens(self, context: str, question: str, num_visual_tokens: int = 0) -> int:
        """Exact length of the prompt that `answer` would send with these arguments."""

    def max_memory_tokens(
        self, num_visual_tokens: int, prompt: str = DESCRIBE_PROMPT, *, max_new_tokens: int = 128
    ) -> int:
        """Memory tokens that still fit before a clip of `num_visual_tokens` in `describe`; 0 or more."""
