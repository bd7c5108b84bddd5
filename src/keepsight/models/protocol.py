"""What Keepsight asks of a video-language model; one adapter per architecture implements it."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

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
        dim: width of text embeddings.
        context_window_tokens: longest prompt plus reply.
        frame_size_pixels: height and width that frames are resized to.
        token_grid: rows and columns of visual tokens in one step; for models that keep a frame's aspect ratio, those
            of a square one (`VideoModel.token_grid` tells others).
        score_layers: decoder layers, 1-based, whose attention makes the scores.
        frames_per_step: neighbouring frames that the vision tower merges into one step of tokens.
        visual_dim: width of visual tokens; None where it is `dim`. It is a multiple of it for models that also add
            visual features after their first layers (DeepStack, arXiv 2406.04334).
        quantization: `int8` or `int4` where the decoder's weights have fewer bits than `dtype` says.
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
    frames_per_step: int = 1
    visual_dim: int | None = None
    quantization: str | None = None

    @property
    def tokens_per_step(self) -> int:
        """Visual tokens of one step, without any separator."""
        return self.token_grid[0] * self.token_grid[1]

    @property
    def token_width(self) -> int:
        """Width of a visual token."""
        return self.dim if self.visual_dim is None else self.visual_dim

    def num_visual_tokens(self, num_frames: int, token_grid: tuple[int, int] | None = None) -> int:
        """Visual tokens of that many frames; an unfinished step is filled up with its last frame.

        Args:
            num_frames: 0 or more.
            token_grid: rows and columns in a step, for models that have several; None for the usual one.
        """
        rows, columns = token_grid or self.token_grid
        return self.num_steps(num_frames) * rows * columns

    def num_steps(self, num_frames: int) -> int:
        """Steps of that many frames, the last of them perhaps unfinished."""
        return -(-num_frames // self.frames_per_step)


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


@dataclass(frozen=True, eq=False)
class VisualInput:
    """What stands in the place of the video in a prompt: what is remembered, then whole frames.

    Attributes:
        memory: `[num_memory_tokens, visual_dim]`, oldest first; may be empty.
        tokens: `[num_visual_tokens, visual_dim]` of whole frames from `encode`; may be empty.
        token_grid: rows and columns of a step, from `VideoModel.token_grid`; None for the model's usual one.
        frame_seconds: time of each frame in seconds, for models that are told the time; None for
            `DEFAULT_FRAME_SPACING_SECONDS` between frames. Only differences count.
        memory_offsets: int64 `[num_memory_tokens]`, falling, 1 or more: how many visual tokens before the clip's
            first one each memory token stood in the stream. Its position is then that, with gaps where tokens were
            not kept. None puts memory and clip at contiguous positions (paper, section 3).
    """

    memory: Tensor
    tokens: Tensor
    token_grid: tuple[int, int] | None = None
    frame_seconds: tuple[float, ...] | None = None
    memory_offsets: Tensor | None = None


DEFAULT_FRAME_SPACING_SECONDS = 2.0
"""Between two frames whose times are not known: the paper's 0.5 frames a second."""


class VideoModel(Protocol):
    """An adapter around a video-language model. Frames are RGB; all tensors live on the model's device."""

    @property
    def info(self) -> ModelInfo:
        """What the model is and needs."""

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of visual tokens in a step, for frames of that size in pixels."""

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames in time order.

        Args:
            frames: uint8 RGB pictures `[height, width, 3]`, any size, at least one. The first one's decides the grid.

        Returns:
            `[num_tokens, visual_dim]` in the model's dtype, no separator, step after step; `num_tokens` is
            `info.num_visual_tokens(len(frames), token_grid)` with the grid of `token_grid`.
        """

    def describe(
        self,
        clip: VisualInput,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
        recent_captions: Sequence[str] = (),
    ) -> Description:
        """Caption a clip with memory in front of it, greedily, and score the clip's tokens.

        Args:
            clip: memory and the clip's tokens.
            prompt: the captioning instruction.
            max_new_tokens: longest caption.
            scoring: which attention makes the scores.
            recent_captions: captions of the clips before, newest last. They change nothing but the speed: a caption
                that repeats them is guessed ahead and checked several tokens at a time.

        Raises:
            SettingError: a layer is asked for that the model does not have, or the offsets do not fit the memory.
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """

    def answer(
        self, context: str, question: str, visual: VisualInput | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """Answer a question over `prompts.captions_context` text, greedily, in pieces as they are generated.

        Args:
            context: the block of captions, may be empty.
            question: the user's question.
            visual: what stands in the place of the video, if anything.

        Raises:
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """

    def embed(self, text: str) -> Tensor:
        """Mean of the language model's input embeddings of the text's tokens: float32 `[dim]`, on the CPU.

        Special tokens are left out. A text without tokens gives zeros.
        """

    def count_tokens(self, text: str) -> int:
        """Tokens of a text as it would stand in a prompt, without special tokens added."""

    def count_prompt_tokens(
        self,
        context: str,
        question: str,
        num_visual_tokens: int = 0,
        *,
        num_memory_tokens: int = 0,
        like: VisualInput | None = None,
    ) -> int:
        """Exact length of the prompt that `answer` would send with these arguments.

        Args:
            context: the block of captions, may be empty.
            question: the user's question.
            num_visual_tokens: tokens of whole frames.
            num_memory_tokens: tokens of the memory.
            like: has the grid and the times of those frames, which some prompts show; its tokens are not looked at.
        """

    def max_memory_tokens(
        self,
        num_visual_tokens: int,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        like: VisualInput | None = None,
    ) -> int:
        """Memory tokens that still fit before a clip of `num_visual_tokens` in `describe`; 0 or more.

        `like` as for `count_prompt_tokens`.
        """


@runtime_checkable
class BatchModel(VideoModel, Protocol):
    """A video model that describes clips of several streams at once."""

    def describe_batch(
        self,
        clips: Sequence[VisualInput],
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
    ) -> list[Description]:
        """Caption clips side by side: for each one what `describe` gives, up to rounding.

        Args:
            clips: at least one; their memories, and the clips themselves, may differ in length.
            prompt: the captioning instruction.
            max_new_tokens: longest caption.
            scoring: which attention makes the scores.

        Raises:
            SettingError, PromptTooLongError: as for `describe`.
        """

    def describing(
        self,
        clips: Sequence[VisualInput],
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
    ) -> Generator[None, None, list[Description]]:
        """`describe_batch` a pass of the model at a time, so that other work can be done in between.

        Returns what `describe_batch` returns; errors are raised at the first pass.
        """


@runtime_checkable
class ManyAnswers(Protocol):
    """A video model that answers several questions over the same captions at once."""

    def answering(
        self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256
    ) -> Generator[None, None, list[str]]:
        """What `VideoModel.answer` says to each of some questions, up to rounding, a pass of the model at a time.

        Args:
            context: the block of captions, may be empty.
            questions: at least one.
            max_new_tokens: longest answer.

        Raises:
            PromptTooLongError: one of the prompts plus `max_new_tokens` exceeds the context window; raised at once.
        """
