"""InternVL3 (arXiv 2504.10479) and InternVL3.5 (arXiv 2508.18265) in transformers' format: checkpoints with names
ending in `-hf` or `-HF`.

Every frame is one tile, and adjacent patches are folded into one token (pixel shuffle): 448 pixels with patches of 14,
folded two by two, make 256 tokens. The prompt is

    [chat opening]<img>[memory]</img>
    Frame1: <img>[frame]</img>
    Frame2: <img>[frame]</img>
    [instruction and chat closing]

The layout is that of transformers' processor. Settings are read from the file for images: that for videos, in some
checkpoints, has a size and means that do not match the tower (InternVL's issue 1222).

The decoder is a Qwen2 in InternVL3 and a Qwen3 in InternVL3.5, with experts in its larger models. That of
InternVL3_5-GPT-OSS has sinks in its attention, which neither SDPA nor the scores take in.

The published weights are bfloat16 and overflow float16, so that is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from transformers import InternVLForConditionalGeneration

from keepsight.errors import UnsupportedModelError
from keepsight.method.protocol import VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames
from keepsight.models.prompting.layout import Piece
from keepsight.models.vision.preprocessing import read_settings

DECODERS_WITH_SINKS = frozenset({"gpt_oss"})


class InternVLAdapter(VideoAdapter):
    """An InternVL model as a `VideoModel`."""

    model_class = InternVLForConditionalGeneration
    place = VideoPlace("<video>")
    overflows_float16 = True

    @classmethod
    def settings(cls, folder: Path) -> Mapping[str, Any]:
        """The checkpoint's settings for images."""
        return read_settings(folder, kinds=("image", "video"))

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Frames of the tower's size, with folded patches.

        Raises:
            UnsupportedModelError: the decoder's attention has sinks.
        """
        del settings
        if (decoder := config.get_text_config().model_type) in DECODERS_WITH_SINKS:
            raise UnsupportedModelError(
                f"decoder of an InternVL model must have attention without sinks, got {decoder}; choose a model with a "
                "Qwen decoder, such as OpenGVLab/InternVL3_5-8B-HF"
            )
        vision = config.vision_config
        height, width = vision.image_size
        rows, columns = height // vision.patch_size[0], width // vision.patch_size[1]
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(height, width),
            patches_per_frame=rows * columns + 1,  # plus the class token
            token_grid=(int(rows * config.downsample_ratio), int(columns * config.downsample_ratio)),
        )

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        tokens: Tensor = self._model.get_image_features(self._pixels(frames)[0]).pooler_output.flatten(0, 1)
        return tokens

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory, then each frame after its number."""
        tokens_per_frame = self._info.tokens_per_step
        labels = [f"Frame{number + 1}: " for number in range(count_steps(visual, tokens_per_frame))]
        marks = FrameMarks("<img>", "</img>", labels, separator="\n")
        return lay_out_frames(self._prompts, ids.text, visual, marks, tokens_per_frame)
