"""Interface of a video-language model; each architecture has an adapter that implements it."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.model_info import AnswerAuthor, JudgingStyle, ModelIdentity, ModelInfo
from keepsight.settings import DESCRIBE_PROMPT, HEAD_RULES

__all__ = [
    "DEFAULT_FRAME_SPACING_SECONDS",
    "PAPER_SCORING",
    "AnswerRequest",
    "AnsweringInfo",
    "AnsweringModel",
    "BatchModel",
    "DescribeRequest",
    "Description",
    "ManyAnswers",
    "ModelInfo",
    "ScoreRule",
    "VideoModel",
    "VisualInput",
]


@dataclass(frozen=True)
class ScoreRule:
    """Which attention scores a clip's visual tokens, and how heads are combined.

    Attributes:
        layers: decoder layers, 1-based; None for the model's own (`ModelInfo.score_layers`), `"all"` for every layer.
        heads: `mean` (paper, section 3) or `max` over heads.

    Raises:
        SettingError: `heads` is neither.
    """

    layers: tuple[int, ...] | Literal["all"] | None = None
    heads: str = "mean"

    def __post_init__(self) -> None:
        if self.heads not in HEAD_RULES:
            raise SettingError(f"score_heads must be one of {', '.join(HEAD_RULES)}, got {self.heads!r}")


PAPER_SCORING = ScoreRule()
"""The paper's layers at the model's depth, mean over heads."""


def _check_length(max_new_tokens: int) -> None:
    if max_new_tokens < 1:
        raise SettingError(f"max_new_tokens must be at least 1, got {max_new_tokens}")


@dataclass(frozen=True)
class DescribeRequest:
    """Parameters of captioning a clip. Clips with equal requests can be described in one batch.

    Attributes:
        prompt: the captioning instruction.
        max_new_tokens: token limit of the caption, at least 1.
        scoring: which attention scores the tokens.
        recent_captions: captions of previous clips, newest last. They affect speed only: repeated text is drafted from
            them and verified several tokens at a time (speculative decoding). Batches ignore them.

    Raises:
        SettingError: `max_new_tokens` is below 1.
    """

    prompt: str = DESCRIBE_PROMPT
    max_new_tokens: int = 128
    scoring: ScoreRule = PAPER_SCORING
    recent_captions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_length(self.max_new_tokens)


@dataclass(frozen=True)
class Description:
    """A caption, and how much each visual token mattered to it.

    Attributes:
        caption: text without special tokens, stripped.
        scores: float32 `[num_visual_tokens]`, attention on the clip's own tokens (paper, section 3: mean over caption
            tokens, heads and layers of the softmax over the whole row, not renormalised).
        num_caption_tokens: generated tokens, end marker included.
    """

    caption: str
    scores: Tensor
    num_caption_tokens: int


@dataclass(frozen=True, eq=False)
class VisualInput:
    """Visual part of a prompt: memory tokens, then whole frames.

    Attributes:
        memory: `[num_memory_tokens, visual_dim]`, oldest first; may be empty.
        tokens: `[num_visual_tokens, visual_dim]` of whole frames from `encode`; may be empty.
        token_grid: rows and columns per step, from `VideoModel.token_grid`; None for the model's default.
        frame_seconds: time of each frame in seconds, for models that use it; None for `DEFAULT_FRAME_SPACING_SECONDS`
            between frames. Only differences matter.
        memory_offsets: int64 `[num_memory_tokens]`, strictly decreasing, at least 1: distance in the stream, in visual
            tokens, from each memory token to the clip's first token. Positions then have gaps where tokens were
            dropped. None places memory and clip at contiguous positions (paper, section 3).
    """

    memory: Tensor
    tokens: Tensor
    token_grid: tuple[int, int] | None = None
    frame_seconds: tuple[float, ...] | None = None
    memory_offsets: Tensor | None = None


@dataclass(frozen=True, eq=False)
class AnswerRequest:
    """A question to a model, with its context.

    Attributes:
        context: the block of captions, may be empty.
        question: the user's question.
        visual: visual part of the prompt, if any.
        max_new_tokens: token limit of the answer, at least 1.

    Raises:
        SettingError: `max_new_tokens` is below 1.
    """

    context: str
    question: str
    visual: VisualInput | None = None
    max_new_tokens: int = 256

    def __post_init__(self) -> None:
        _check_length(self.max_new_tokens)


DEFAULT_FRAME_SPACING_SECONDS = 2.0
"""Spacing of frames without known times: the paper's 0.5 frames per second."""


class AnsweringInfo(Protocol):
    """Properties of a model that answers from text: see `ModelInfo`."""

    @property
    def name(self) -> str: ...

    @property
    def author(self) -> AnswerAuthor:
        """Who writes the answers."""

    @property
    def judging_style(self) -> JudgingStyle: ...

    @property
    def identity(self) -> ModelIdentity:
        """Model that embeds and counts."""

    @property
    def dim(self) -> int: ...

    @property
    def context_window_tokens(self) -> int: ...

    @property
    def device(self) -> str: ...

    @property
    def num_parameters(self) -> int: ...


class AnsweringModel(Protocol):
    """Model that answers questions from captions."""

    @property
    def info(self) -> AnsweringInfo:
        """Properties of the model."""

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """Answer a question over `prompts.captions_context` text, greedily, streaming pieces of text.

        Args:
            request: the question and its context.

        Raises:
            PromptTooLongError: prompt plus `request.max_new_tokens` exceed the context window.
        """

    def embed(self, text: str) -> Tensor:
        """Mean input embedding of the text's tokens: float32 `[dim]`, on the CPU.

        Special tokens are excluded. Text without tokens gives zeros.
        """

    def count_tokens(self, text: str) -> int:
        """Token count of a text as in a prompt, without special tokens."""

    def count_prompt_tokens(
        self,
        context: str,
        question: str,
        num_visual_tokens: int = 0,
        *,
        num_memory_tokens: int = 0,
        like: VisualInput | None = None,
    ) -> int:
        """Exact length of the prompt that `answer` would use with these arguments.

        Args:
            context: the block of captions, may be empty.
            question: the user's question.
            num_visual_tokens: tokens of whole frames.
            num_memory_tokens: tokens of the memory.
            like: grid and times of those frames, which some prompts contain; its tokens are ignored.
        """


@runtime_checkable
class VideoModel(AnsweringModel, Protocol):
    """Adapter of a video-language model. Frames are RGB; all tensors are on the model's device."""

    @property
    def info(self) -> ModelInfo:
        """Properties of the model."""

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of visual tokens per step, for frames of a size in pixels."""

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames in time order.

        Args:
            frames: uint8 RGB `[height, width, 3]`, any size, at least one. The first one's size determines the grid.

        Returns:
            `[num_tokens, visual_dim]` in the model's dtype, without separators, step by step; `num_tokens` is
            `info.num_visual_tokens(len(frames), token_grid)` with the grid of `token_grid`.
        """

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        """Caption a clip with memory in front of it, greedily, and score the clip's tokens.

        Args:
            clip: memory and the clip's tokens.
            request: parameters.

        Raises:
            SettingError: the model lacks a requested layer, or the offsets do not match the memory.
            PromptTooLongError: prompt plus `request.max_new_tokens` exceed the context window.
        """

    def max_memory_tokens(
        self,
        num_visual_tokens: int,
        request: DescribeRequest = DescribeRequest(),
        *,
        like: VisualInput | None = None,
    ) -> int:
        """Memory tokens that still fit before a clip in `describe`, at least 0.

        Args:
            num_visual_tokens: tokens of the clip.
            request: parameters.
            like: as for `count_prompt_tokens`.
        """


@runtime_checkable
class BatchModel(VideoModel, Protocol):
    """Video model that describes clips of several streams at once."""

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        """Caption clips in one batch: the result of `describe` for each, up to rounding.

        Args:
            clips: at least one; their memories, and the clips themselves, may differ in length.
            request: parameters; `recent_captions` are ignored.

        Raises:
            SettingError, PromptTooLongError: as for `describe`.
        """

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        """`describe_batch` as a generator, one model pass at a time, so that other work can run in between.

        Returns the result of `describe_batch`; errors are raised at the first pass.
        """


@runtime_checkable
class ManyAnswers(Protocol):
    """Video model that answers several questions over the same captions at once."""

    def answering(
        self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256
    ) -> Generator[None, None, list[str]]:
        """Answers of `VideoModel.answer` to several questions, up to rounding, one model pass at a time.

        Args:
            context: the block of captions, may be empty.
            questions: at least one.
            max_new_tokens: token limit per answer.

        Raises:
            PromptTooLongError: one of the prompts plus `max_new_tokens` exceeds the context window; raised immediately.
        """
