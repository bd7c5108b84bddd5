"""LLaVA-OneVision, as transformers' modelling and processing files have it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + part['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
GRID = 5  # patches a side; pooled two by two, rounded up: 3
PATCH_PIXELS = 4


class LlavaOnevision(Architecture):
    model_type = "llava_onevision"
    model_class = LlavaOnevisionForConditionalGeneration
    placeholder = "<video>"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<|im_end|>", pad="<|endoftext|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> LlavaOnevisionConfig:
        return LlavaOnevisionConfig(
            vision_config=SiglipVisionConfig(
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=GRID * PATCH_PIXELS,
                patch_size=PATCH_PIXELS,
                vision_use_head=False,
            ),
            text_config=Qwen2Config(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=40,
                num_hidden_layers=num_layers,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=window,
                initializer_range=0.2,
                bos_token_id=None,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            ),
            video_token_index=tokenizer.get_vocab()["<video>"],
            image_token_index=tokenizer.get_vocab()["<image>"],
        )

    def settings(self) -> dict[str, Any]:
        side = GRID * PATCH_PIXELS
        return {
            "size": {"height": side, "width": side},
            "resample": 3,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        return num_frames * 9

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        pixels = SiglipImageProcessorPil(**self.settings())(list(frames), return_tensors="pt")["pixel_values"]
        return stock.model.get_video_features(pixels.unsqueeze(0).contiguous()).pooler_output[0, :-1]

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        num_visual = num_memory + 9 * len(clip)
        video = "<video>" * (num_visual + 1) if num_visual else ""  # the last one is the newline
        ids = stock.ids(f"<|im_start|>user {video}\n{text}<|im_end|><|im_start|>assistant\n")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        return StockPrompt(ids, places[:num_memory], places[num_memory:-1])

    def stock_embeds(self, stock: Stock, prompt: StockPrompt, visual: Tensor) -> Tensor:
        embeds = super().stock_embeds(stock, prompt, visual)
        newline = [place for place, token in enumerate(prompt.ids) if token == stock.placeholder_id][-1:]
        embeds[newline] = stock.model.model.image_newline.detach()
        return embeds
