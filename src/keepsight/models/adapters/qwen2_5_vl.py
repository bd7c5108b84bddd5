"""Qwen2.5-VL (arXiv 2502.13923).

Two frames make one step of visual tokens, frames keep their aspect ratio, and positions have three axes (M-RoPE). The
prompt is

    [chat opening, vision start][memory tokens][clip tokens][vision end, instruction, chat closing]

Memory has running positions, like text; the clip has a grid of time, rows and columns. The distance of steps follows
from frame times, so the model knows the speed of events. Text after the clip continues after the largest position so
far, which is the technical report's rule; transformers 5 continues after rows and columns only.

The published weights are bfloat16 and overflow float16, so that is refused.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from keepsight.method.protocol import DEFAULT_FRAME_SPACING_SECONDS, ModelInfo, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.layout import Frames, Memory, Piece
from keepsight.models.prompting.positions import GridRule
from keepsight.models.vision.patches import PatchRule
from keepsight.models.vision.preprocessing import FramePreprocessor
from keepsight.models.vision.resolution import ASKED, tokens_per_step


class Qwen25VLAdapter(VideoAdapter):
    """A Qwen2.5-VL model as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen2_5_VLForConditionalGeneration
    place = VideoPlace("<|video_pad|>")
    takes_any_frame_size = True
    overflows_float16 = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerFast, preprocessor: FramePreprocessor, info: ModelInfo
    ) -> None:
        super().__init__(model, tokenizer, preprocessor, info)
        self._patches = patch_rule(model.config.vision_config, info.token_grid[0] * info.token_grid[1])

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Frames in steps of two; sizes are those of a large square frame."""
        vision = config.vision_config
        token_pixels = vision.patch_size * vision.spatial_merge_size
        rule = patch_rule(vision, tokens_per_step(settings, token_pixels, vision.temporal_patch_size))
        side = rule.square_side
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(side * rule.token_pixels, side * rule.token_pixels),
            patches_per_frame=(side * rule.merged_patches) ** 2 // rule.frames_per_step,
            token_grid=(side, side),
            frames_per_step=rule.frames_per_step,
        )

    @classmethod
    def with_tokens_per_frame(cls, settings: Mapping[str, Any], tokens_per_frame: int) -> Mapping[str, Any]:
        """Settings with the user's choice."""
        return {**settings, ASKED: tokens_per_frame}

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens that keep the frames' aspect ratio."""
        return self._patches.token_grid(height, width)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        tokens: Tensor = self.features(frames).pooler_output[0]
        return tokens

    def features(self, frames: Sequence[np.ndarray]) -> Any:
        """Output of the tower and its merger for one video, as transformers returns it."""
        rows, columns = self.token_grid(*frames[0].shape[:2])
        size = (rows * self._patches.token_pixels, columns * self._patches.token_pixels)
        pixels = self._pixels(frames, size)[0]
        merge = self._patches.merged_patches
        grid = torch.tensor([[self._info.num_steps(len(frames)), rows * merge, columns * merge]])
        return self._model.get_video_features(self._patches.flatten(pixels), grid.to(pixels.device))

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory and frames in a row, between the tokens that open and close a video."""
        return [ids.before, Memory(visual.memory), Frames(visual.tokens), ids.after]

    def grid(self, visual: VisualInput) -> GridRule | None:
        """Rows, columns, and positions per step at this frame rate."""
        rows, columns = visual.token_grid or self._info.token_grid
        seconds_per_step = frame_spacing_seconds(visual) * self._info.frames_per_step
        positions = self._model.config.vision_config.tokens_per_second * seconds_per_step
        return GridRule(rows, columns, step_interval=exact_interval(positions))


def patch_rule(vision_config: Any, most_tokens: int) -> PatchRule:
    """The tower's patches, with a limit of tokens per step."""
    return PatchRule(
        vision_config.patch_size, vision_config.spatial_merge_size, vision_config.temporal_patch_size, most_tokens
    )


def exact_interval(positions: float) -> Fraction:
    """Positions between steps, as a fraction.

    Above four frames a second steps share positions, as in transformers. Times of frames are not exactly those of the
    frame rate asked for, and a step just before a whole position would stand at the one before: within a percent, the
    interval is that of a simple frame rate.
    """
    simple = Fraction(positions).limit_denominator(8)
    is_near = abs(simple - positions) <= positions / 100
    return simple if is_near else Fraction(positions).limit_denominator(10_000)


def frame_spacing_seconds(visual: VisualInput) -> float:
    """Mean time between consecutive frames."""
    seconds = visual.frame_seconds or ()
    if len(seconds) < 2 or seconds[-1] <= seconds[0]:
        return DEFAULT_FRAME_SPACING_SECONDS
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1)
