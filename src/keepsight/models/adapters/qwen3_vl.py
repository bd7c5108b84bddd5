"""Qwen3-VL (arXiv 2511.21631), which extends Qwen2.5-VL in two ways.

The tower returns features of several layers (DeepStack, arXiv 2406.04334). The last are a visual token's embedding, the
others are added to the states after the decoder's first layers, at the same position. A visual token is their
concatenation, so memory keeps all its features.

Each step of two frames is an image of its own, preceded by its time in seconds, with its own grid of positions:

    [chat opening]<|vision_start|>[memory]<|vision_end|>
    <1.0 seconds><|vision_start|>[step]<|vision_end|><5.0 seconds><|vision_start|>[step]<|vision_end|> ... [instruction]

This is the output of transformers 4.57's processor, with which the checkpoints were released. That of transformers 5
keeps the template's own marks around the whole, so the first step is opened twice (vLLM's issue 46817 shows both).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, Qwen3VLForConditionalGeneration

from keepsight.method.protocol import VisualInput
from keepsight.models.adapters.qwen2_5_vl import Qwen25VLAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames, step_seconds
from keepsight.models.prompting.layout import Piece
from keepsight.models.prompting.positions import GridRule

OPENING, CLOSING = "<|vision_start|>", "<|vision_end|>"


class Qwen3VLAdapter(Qwen25VLAdapter):
    """A Qwen3-VL model as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen3VLForConditionalGeneration
    place = VideoPlace(f"{OPENING}<|video_pad|>{CLOSING}")

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """As Qwen2.5-VL, plus the tower's DeepStack layers."""
        levels = len(config.vision_config.deepstack_visual_indexes)
        return replace(super().shape(config, settings), deepstack_levels=levels)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        features = self.features(frames)
        return torch.cat([features.pooler_output[0], *(level[0] for level in features.deepstack_features)], dim=1)

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory, then each step after its time."""
        rows, columns = visual.token_grid or self._info.token_grid
        num_steps = count_steps(visual, rows * columns)
        labels = [time_label(seconds) for seconds in step_seconds(visual, num_steps, self._info.frames_per_step)]
        return lay_out_frames(self._prompts, ids.text, visual, FrameMarks(OPENING, CLOSING, labels), rows * columns)

    def grid(self, visual: VisualInput) -> GridRule | None:
        """Rows and columns; a step takes as many positions as its longer side and its marks."""
        rows, columns = visual.token_grid or self._info.token_grid
        num_marks = len(self._prompts.template_ids(OPENING + CLOSING + time_label(0)))
        return GridRule(rows, columns, step_interval=max(rows, columns) + num_marks, moves_all=True)


def time_label(seconds: float) -> str:
    """Label before a step."""
    return f"<{seconds:.1f} seconds>"
