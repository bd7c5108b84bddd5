"""Qwen3-VL (arXiv 2511.21631), which goes on from Qwen2.5-VL in two ways.

The tower gives features of several of its layers (DeepStack, arXiv 2406.04334). The last ones are the embedding of a
visual token, the others are added to the states after the decoder's first layers, at the same place. A visual token is
all of them side by side, so what is remembered brings its features back.

Each step of two frames is a picture of its own, its time in seconds before it, and positions start anew with it:

    [chat opening]<|vision_start|>[memory]<|vision_end|>
    <1.0 seconds><|vision_start|>[step]<|vision_end|><5.0 seconds><|vision_start|>[step]<|vision_end|> ... [instruction]

This is what the processor of transformers 4.57 makes, with which the checkpoints came out. That of transformers 5
leaves the template's own pair of marks around the whole, so that the first step is opened twice (vLLM's issue 46817
shows both).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from keepsight.models.adapters.qwen2_5_vl import Qwen25VLAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames, step_seconds
from keepsight.models.prompting.layout import Piece
from keepsight.models.prompting.positions import GridRule
from keepsight.models.protocol import VisualInput

OPENING, CLOSING = "<|vision_start|>", "<|vision_end|>"


class Qwen3VLAdapter(Qwen25VLAdapter):
    """A Qwen3-VL model as a `VideoModel`."""

    model_class = Qwen3VLForConditionalGeneration
    place = VideoPlace(f"{OPENING}<|video_pad|>{CLOSING}")

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """As Qwen2.5-VL, and the tower's layers whose features are added."""
        levels = len(config.vision_config.deepstack_visual_indexes)
        return replace(super().shape(config, settings), deepstack_levels=levels)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        """See `VideoAdapter.encode_batch`."""
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
    """What stands before a step."""
    return f"<{seconds:.1f} seconds>"
