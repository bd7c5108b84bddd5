"""LLaVA-OneVision (arXiv 2408.03326).

One newline embedding follows the last visual token, as the model class puts after a video of any length:

    [chat opening][memory tokens][clip tokens][newline][instruction and chat closing]
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.method.protocol import VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.language_side import LanguageSide
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.layout import Frames, Memory, Piece, Separator


class LlavaOnevisionAdapter(VideoAdapter):
    """A LLaVA-OneVision model as a `VideoModel`."""

    model_class = LlavaOnevisionForConditionalGeneration
    place = VideoPlace("<video>")

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Square frames through a SigLIP tower, patches pooled two by two, sides rounded up."""
        del settings
        vision = config.vision_config
        patches = vision.image_size // vision.patch_size
        rows = -(-patches // 2)
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(vision.image_size, vision.image_size),
            patches_per_frame=patches**2,
            token_grid=(rows, rows),
        )

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        tokens: Tensor = self._model.get_video_features(self._pixels(frames)).pooler_output[0]
        return tokens[:-1]  # drop the newline embedding

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory and frames in a row, followed by one newline."""
        return [ids.before, Memory(visual.memory), Frames(visual.tokens), Separator(self._newline), ids.after]

    @property
    def language_side(self) -> LanguageSide:
        """The language model with its prompts, for methods that work on keys and values themselves."""
        return LanguageSide(self._language, self._prompts, self._end_ids, self._decode, self._newline)

    @property
    def _newline(self) -> Tensor:
        newline: Tensor = self._model.model.image_newline
        return newline.unsqueeze(0)
