"""LLaVA-OneVision (arXiv 2408.03326).

After the last visual token stands one newline embedding, as the model class itself puts one after a whole video,
however many frames it has:

    [chat opening][memory tokens][clip tokens][newline][instruction and chat closing]
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.models.adapter import VideoAdapter
from keepsight.models.baselines.language_side import LanguageSide
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.layout import Frames, Memory, Piece, Separator
from keepsight.models.protocol import VisualInput


class LlavaOnevisionAdapter(VideoAdapter):
    """A LLaVA-OneVision model as a `VideoModel`."""

    model_class = LlavaOnevisionForConditionalGeneration
    place = VideoPlace("<video>")

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Square frames through a SigLIP tower, its patches pooled two by two, sides rounded up."""
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
        """See `VideoAdapter.encode_batch`."""
        tokens: Tensor = self._model.get_video_features(self._pixels(frames)).pooler_output[0]
        return tokens[:-1]  # the last one is the newline embedding

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory and frames in a row, one newline after them."""
        return [ids.before, Memory(visual.memory), Frames(visual.tokens), Separator(self._newline), ids.after]

    @property
    def language_side(self) -> LanguageSide:
        """The language model with its prompts, for methods that work on keys and values themselves."""
        return LanguageSide(self._language, self._prompts, self._end_ids, self._decode, self._newline)

    @property
    def _newline(self) -> Tensor:
        newline: Tensor = self._model.model.image_newline
        return newline.unsqueeze(0)
