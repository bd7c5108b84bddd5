"""Gemma 4, for which a video is a sequence of images with times.

Frames keep their aspect ratio and are scaled to a budget of tokens, 70 for videos. Every frame stands after its time,
with the marks of transformers' processor (the line breaks are not part of the prompt):

    [chat opening]<|image>[memory, up to 70 tokens]<image|>
     00:00 <|image>[frame]<image|> 00:04 <|image>[frame]<image|>
    [instruction and chat closing]

Memory is laid out as images without a time, as for Gemma 3. In the larger models an image's tokens attend to each other
in both directions, in layers with a sliding window only. Scores come from the other layers, and captions are not
drafted, since a window's keys cannot be taken back.

In the small models each layer adds embeddings of its own (PLE) to a token; visual tokens get those of the padding
token, as in transformers' model.

The tower's standardisation overflows float16 (vLLM's issue 40290), so that is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import Cache, Gemma4ForConditionalGeneration, PreTrainedModel, PreTrainedTokenizerFast

from keepsight.errors import SettingError
from keepsight.method.protocol import ModelInfo, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.decoding.language_model import LanguageModel
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames, step_seconds
from keepsight.models.prompting.layout import Piece
from keepsight.models.vision.budget import BudgetRule
from keepsight.models.vision.preprocessing import FramePreprocessor, read_settings

TOKENS_PER_FRAME = 70
"""Budget of transformers' processor for videos."""

BUDGETS = (70, 140, 280, 560, 1120)
"""Budgets that the model was trained with, which its processor takes."""


class Gemma4Language(LanguageModel):
    """Gemma's decoder, with masks for images, embeddings per layer, and capped logits."""

    def masks(self, embeds: Tensor, mask: Tensor | None, cache: Cache | None, is_visual: Tensor | None = None) -> Any:
        """One mask per kind of layer, by transformers' rule; text-only prompts are left to the decoder."""
        if is_visual is None or not bool(is_visual.any()):
            return mask
        return Gemma4ForConditionalGeneration.create_masks_for_generate(
            self.decoder.config, embeds, mask, cache, None, mm_token_type_ids=is_visual.long()
        )

    def token_inputs(self, ids: Tensor) -> Mapping[str, Any]:
        """Embeddings per layer; the padding token's where a position has no token."""
        config = self.decoder.config
        if not getattr(config, "hidden_size_per_layer_input", 0):
            return {}
        return {"per_layer_inputs": self.decoder.get_per_layer_inputs(ids.where(ids >= 0, config.pad_token_id))}

    def _logits(self, states: Tensor) -> Tensor:
        logits, cap = super()._logits(states), self.decoder.config.final_logit_softcapping
        return logits if cap is None else torch.tanh(logits / cap) * cap


class Gemma4Adapter(VideoAdapter):
    """A Gemma 4 model as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Gemma4ForConditionalGeneration
    place = VideoPlace("<|video|>")
    takes_any_frame_size = True
    can_draft = False
    can_compile = False
    overflows_float16 = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerFast, preprocessor: FramePreprocessor, info: ModelInfo
    ) -> None:
        super().__init__(model, tokenizer, preprocessor, info)
        marks = tokenizer.convert_ids_to_tokens([model.config.boi_token_id, model.config.eoi_token_id])
        self._opening, self._closing = (str(mark) for mark in marks)
        self._rule = self.budget_rule(model.config.vision_config, info.tokens_per_step)

    @classmethod
    def settings(cls, folder: Path) -> Mapping[str, Any]:
        """Settings for videos only: those for images have a larger budget. Pixels are not normalised."""
        return {"image_mean": [0.0] * 3, "image_std": [1.0] * 3} | dict(read_settings(folder, kinds=("video",)))

    @classmethod
    def with_tokens_per_frame(cls, settings: Mapping[str, Any], tokens_per_frame: int) -> Mapping[str, Any]:
        """Settings with another budget.

        Raises:
            SettingError: it is none of `BUDGETS`.
        """
        if tokens_per_frame not in BUDGETS:
            raise SettingError(
                f"must be one of {', '.join(map(str, BUDGETS))} for Gemma 4, got {tokens_per_frame}", "tokens_per_frame"
            )
        return {**settings, "max_soft_tokens": tokens_per_frame}

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Frames that use up the budget of tokens."""
        rule = cls.budget_rule(config.vision_config, int(settings.get("max_soft_tokens") or TOKENS_PER_FRAME))
        rows, columns = rule.whole_grid
        shape = ModelShape.of(
            cls.model_class,
            config,
            frame_size=(rows * rule.token_pixels, columns * rule.token_pixels),
            patches_per_frame=rule.max_tokens * rule.pooled_patches**2,
            token_grid=(rows, columns),
        )
        text = config.text_config
        if getattr(text, "enable_moe_block", False):
            return replace(shape, intermediate_size=text.moe_intermediate_size, experts_per_token=text.top_k_experts)
        return replace(shape, intermediate_size=text.intermediate_size * (2 if text.use_double_wide_mlp else 1))

    @classmethod
    def budget_rule(cls, vision_config: Any, max_tokens: int) -> BudgetRule:
        """The tower's patches, with a budget of tokens per frame."""
        return BudgetRule(vision_config.patch_size, vision_config.pooling_kernel_size, max_tokens)

    @classmethod
    def language_model(cls, model: Any) -> LanguageModel:
        """Decoder with its own masks and inputs."""
        return Gemma4Language(model)

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens that keep the frames' aspect ratio."""
        return self._rule.token_grid(height, width)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        rows, columns = self.token_grid(*frames[0].shape[:2])
        size = (rows * self._rule.token_pixels, columns * self._rule.token_pixels)
        return torch.cat(
            self._model.get_image_features(*self._rule.flatten(self._pixels(frames, size)[0])).pooler_output
        )

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory as images, then each frame after its time."""
        rows, columns = visual.token_grid or self._info.token_grid
        num_frames = count_steps(visual, rows * columns)
        labels = [f"{clock(seconds)} " for seconds in step_seconds(visual, num_frames)]
        marks = FrameMarks(self._opening, self._closing, labels, separator=" ", memory_block=self._rule.max_tokens)
        return lay_out_frames(self._prompts, ids.text, visual, marks, rows * columns)


def clock(seconds: float) -> str:
    """Minutes and seconds as the processor writes them: `61:01` after an hour."""
    return f"{int(seconds // 60):02d}:{int(seconds % 60):02d}"
