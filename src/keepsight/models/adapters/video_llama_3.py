"""VideoLLaMA 3 (arXiv 2501.13106) in transformers' format: checkpoints with names ending in `-HF`.

Frames keep their aspect ratio, and patches are averaged two by two. Every frame stands after its time:

    [chat opening][memory],Time 0.0s:[frame],Time 2.0s:[frame] ... [instruction and chat closing]

This is the output of transformers' processor without its token compression (`use_token_compression=False`), which
drops tokens that equal those of the frame before: the selection decides what is kept, so all are shown to it. Memory
stands where a frame without a time would.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, VideoLlama3ForConditionalGeneration

from keepsight.method.protocol import ModelInfo, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames, step_seconds
from keepsight.models.prompting.layout import Piece
from keepsight.models.vision.patches import PatchRule
from keepsight.models.vision.preprocessing import FramePreprocessor, read_settings
from keepsight.models.vision.resolution import ASKED, tokens_per_step

MERGED_PATCHES = 2
"""Side of the patches averaged into one token, in transformers' processor for videos; that for images averages none."""


class VideoLlama3Adapter(VideoAdapter):
    """A VideoLLaMA 3 model as a `VideoModel`."""

    model_class = VideoLlama3ForConditionalGeneration
    place = VideoPlace("<|video_pad|>")
    takes_any_frame_size = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerFast, preprocessor: FramePreprocessor, info: ModelInfo
    ) -> None:
        super().__init__(model, tokenizer, preprocessor, info)
        patch = model.config.vision_config.patch_size
        merge = info.frame_size_pixels[0] // info.token_grid[0] // patch
        self._patches = PatchRule(patch, merge, frames_per_step=1, max_tokens=info.tokens_per_step)

    @classmethod
    def settings(cls, folder: Path) -> Mapping[str, Any]:
        """The preprocessor's settings, with the merge size for videos."""
        merge = read_settings(folder, kinds=("video",)).get("merge_size", MERGED_PATCHES)
        return {**read_settings(folder), "merge_size": merge}

    @classmethod
    def with_tokens_per_frame(cls, settings: Mapping[str, Any], tokens_per_frame: int) -> Mapping[str, Any]:
        """Settings with the user's choice."""
        return {**settings, ASKED: tokens_per_frame}

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Large square frames."""
        merge = int(settings.get("merge_size", MERGED_PATCHES))
        token_pixels = config.vision_config.patch_size * merge
        side = math.isqrt(tokens_per_step(settings, token_pixels))
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(side * token_pixels, side * token_pixels),
            patches_per_frame=(side * merge) ** 2,
            token_grid=(side, side),
        )

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens that keep the frames' aspect ratio."""
        return self._patches.token_grid(height, width)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        rows, columns = self.token_grid(*frames[0].shape[:2])
        pixels = self._pixels(frames, (rows * self._patches.token_pixels, columns * self._patches.token_pixels))[0]
        merge = self._patches.merged_patches
        grid = torch.tensor([[len(frames), rows * merge, columns * merge]], device=pixels.device)
        merges = torch.tensor([merge], device=pixels.device)
        tokens: Tensor = self._model.model.get_video_features(
            self._patches.flatten(pixels), grid, merges
        ).pooler_output[0]
        return tokens

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory, then each frame after its time."""
        rows, columns = visual.token_grid or self._info.token_grid
        num_frames = count_steps(visual, rows * columns)
        labels = [f"Time {seconds:.1f}s:" for seconds in step_seconds(visual, num_frames)]
        return lay_out_frames(
            self._prompts, ids.text, visual, FrameMarks("", "", labels, separator=","), rows * columns
        )
