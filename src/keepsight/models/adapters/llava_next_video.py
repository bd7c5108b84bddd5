"""LLaVA-NeXT-Video (blog of 2024-04-30, llava-vl.github.io; checkpoints `llava-hf/LLaVA-NeXT-Video-7B-hf` and others).

A CLIP tower without its class token, one layer before the last, and patches pooled two by two: 336 pixels with patches
of 14 make 144 tokens a frame. Nothing separates frames, and nothing follows them:

    [chat opening, `USER: `][memory tokens][clip tokens][line break, instruction, `ASSISTANT:`]

As in transformers' processor, frames keep their aspect ratio and lose what stands out of the middle square.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlavaNextVideoForConditionalGeneration

from keepsight.errors import SettingError
from keepsight.models.adapter import VideoAdapter
from keepsight.models.chat import PromptIds, VideoPlace
from keepsight.models.footprint import ModelShape
from keepsight.models.prompt_layout import Frames, Memory, Piece
from keepsight.models.protocol import VisualInput

FRAMES_PER_BATCH = 16
"""Frames that go through the vision tower at once."""


class LlavaNextVideoAdapter(VideoAdapter):
    """A LLaVA-NeXT-Video model as a `VideoModel`."""

    model_class = LlavaNextVideoForConditionalGeneration
    place = VideoPlace("<video>")

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Square frames, their patches pooled, sides rounded down."""
        del settings
        vision = config.vision_config
        patches = vision.image_size // vision.patch_size
        rows = patches // config.spatial_pool_stride
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(vision.image_size, vision.image_size),
            patches_per_frame=patches**2 + 1,  # and the class token
            token_grid=(rows, rows),
        )

    @torch.inference_mode()
    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames in time order: see `VideoModel.encode`."""
        if not frames:
            raise SettingError("frames is empty; at least one frame is needed")
        parts = []
        for start in range(0, len(frames), FRAMES_PER_BATCH):
            pixels = self._pixels(frames[start : start + FRAMES_PER_BATCH])
            features = self._model.get_video_features(pixels)
            parts.append(features.pooler_output[0])
        return torch.cat(parts)

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory and frames in a row."""
        return [ids.before, Memory(visual.memory), Frames(visual.tokens), ids.after]
