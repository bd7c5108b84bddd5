"""LLaVA-NeXT-Video with Vicuna's chat, as transformers' modelling, processing and conversion files have it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = ("<s>", "</s>", "<pad>", "<video>", "<image>")
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'][0]['text'] }}"
    "{% else %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>\\n' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] + ' ' }}{% endfor %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
GRID = 5  # patches a side; pooled two by two, rounded down: 2
PATCH_PIXELS = 4


class LlavaNextVideo(Architecture):
    model_type = "llava_next_video"
    model_class = LlavaNextVideoForConditionalGeneration
    placeholder = "<video>"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="</s>", pad="<pad>", bos="<s>", space_marks="each-run")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> LlavaNextVideoConfig:
        return LlavaNextVideoConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=3,
                num_attention_heads=2,
                image_size=GRID * PATCH_PIXELS,
                patch_size=PATCH_PIXELS,
            ),
            text_config=LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=40,
                num_hidden_layers=num_layers,
                num_attention_heads=4,
                num_key_value_heads=4,
                max_position_embeddings=window,
                initializer_range=0.2,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            ),
            video_token_index=tokenizer.get_vocab()["<video>"],
            image_token_index=tokenizer.get_vocab()["<image>"],
        )

    def settings(self) -> dict[str, Any]:
        side = GRID * PATCH_PIXELS
        return {
            "do_center_crop": True,
            "crop_size": {"height": side, "width": side},
            "size": {"shortest_edge": side},
            "resample": 3,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        return num_frames * 4

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        processor = CLIPImageProcessorPil(**self.settings())
        pixels = processor(list(frames), return_tensors="pt")["pixel_values"]
        return stock.model.get_video_features(pixels.unsqueeze(0).contiguous()).pooler_output[0]

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        num_visual = num_memory + 4 * len(clip)
        video = "<video>" * num_visual + "\n" if num_visual else ""
        ids = stock.ids(f"USER: {video}{text} ASSISTANT:", add_special_tokens=True)
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        return StockPrompt(ids, places[:num_memory], places[num_memory:])
