"""Gemma 3 (arXiv 2503.19786), for which a video is a sequence of images.

Every frame is one image of 256 tokens, with the marks and line breaks of transformers' processor:

    [chat opening]

    <start_of_image>[memory, up to 256 tokens]<end_of_image>

    <start_of_image>[frame]<end_of_image>

    <start_of_image>[frame]<end_of_image>

    [instruction and chat closing]

Tokens of an image attend to each other bidirectionally; everything else is causal. Memory is laid out as images too, of
at most as many tokens as an image has: the model knows no others, and one clip's kept tokens make one image if a
sixteenth of sixteen frames is kept. Earlier tokens of a memory image thus see later ones, but no image sees what
follows it.

Five of six layers use a sliding window, whose keys are cut during generation. Scores come from the others, those
nearest to the paper's (`layers.whole_layers`), and captions are not drafted, since drafts could not be taken back.

The published weights overflow float16, so it is refused, as in vLLM.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import Cache, Gemma3ForConditionalGeneration

from keepsight.method.protocol import VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.decoding.language_model import LanguageModel
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames
from keepsight.models.prompting.layout import Piece

OPENING, CLOSING = "<start_of_image>", "<end_of_image>"


class Gemma3Language(LanguageModel):
    """Gemma's decoder, with masks for images."""

    def masks(self, embeds: Tensor, mask: Tensor | None, cache: Cache | None, is_visual: Tensor | None = None) -> Any:
        """One mask per kind of layer, by transformers' rule; text-only prompts are left to the decoder."""
        if is_visual is None or not bool(is_visual.any()):
            return mask
        return Gemma3ForConditionalGeneration.create_masks_for_generate(
            self.decoder.config, embeds, mask, cache, None, token_type_ids=is_visual.long()
        )


class Gemma3Adapter(VideoAdapter):
    """A Gemma 3 model as a `VideoModel`."""

    model_class = Gemma3ForConditionalGeneration
    place = VideoPlace(OPENING, content_type="image")
    frames_per_batch = 4  # each has 4,096 patches
    can_draft = False
    can_compile = False
    overflows_float16 = True

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Square frames, with patches pooled to a fixed number of tokens."""
        del settings
        vision = config.vision_config
        side = int(config.mm_tokens_per_image**0.5)
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(vision.image_size, vision.image_size),
            patches_per_frame=(vision.image_size // vision.patch_size) ** 2,
            token_grid=(side, side),
        )

    @classmethod
    def language_model(cls, model: Any) -> LanguageModel:
        """Decoder with its own masks."""
        return Gemma3Language(model)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        tokens: Tensor = self._model.get_image_features(self._pixels(frames)[0]).pooler_output.flatten(0, 1)
        return tokens

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory as images, then each frame."""
        size = self._info.tokens_per_step
        labels = [""] * count_steps(visual, size)
        marks = FrameMarks(f"\n\n{OPENING}", f"{CLOSING}\n\n", labels, memory_block=size)
        return lay_out_frames(self._prompts, ids.text, visual, marks, size)
