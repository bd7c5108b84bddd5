"""LLaVA-NeXT-Video (blog of 2024-04-30, llava-vl.github.io; checkpoints `llava-hf/LLaVA-NeXT-Video-7B-hf` and others).

A CLIP tower's second-to-last layer without class token, patches pooled two by two: 336 pixels with patches of 14 make
144 tokens per frame. Frames have no separators and no end mark:

    [chat opening, `USER: `][memory tokens][clip tokens][line break, instruction, `ASSISTANT:`]

As in transformers' processor, frames keep their aspect ratio and are cropped to the centre square.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import LlavaNextVideoForConditionalGeneration

from keepsight.method.protocol import VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.layout import Frames, Memory, Piece


class LlavaNextVideoAdapter(VideoAdapter):
    """A LLaVA-NeXT-Video model as a `VideoModel`."""

    model_class = LlavaNextVideoForConditionalGeneration
    place = VideoPlace("<video>")

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Square frames, with pooled patches, sides rounded down."""
        del settings
        vision = config.vision_config
        patches = vision.image_size // vision.patch_size
        rows = patches // config.spatial_pool_stride
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(vision.image_size, vision.image_size),
            patches_per_frame=patches**2 + 1,  # plus the class token
            token_grid=(rows, rows),
        )

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        tokens: Tensor = self._model.get_video_features(self._pixels(frames)).pooler_output[0]
        return tokens

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory and frames in a row."""
        return [ids.before, Memory(visual.memory), Frames(visual.tokens), ids.after]
