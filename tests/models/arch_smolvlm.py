"""SmolVLM2, as transformers' modelling and processing files have it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast, SmolVLMConfig, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<end_of_utterance>"),
    *("<fake_token_around_image>", "<image>", "<global-img>", "<row_1_col_1>"),
)
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize + ':' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}"
    "{% elif part['type'] == 'text' %}{{ ' ' + part['text'] }}{% endif %}{% endfor %}"
    "{{ '<end_of_utterance>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""Knows of no video, as the templates of the first checkpoints."""

PIXELS, PATCH_PIXELS, SCALE = 24, 4, 2
TOKENS_PER_FRAME = (PIXELS // PATCH_PIXELS // SCALE) ** 2
NUMBERS = ("no", "one", "two", "three", "four", "five")


class SmolVLM(Architecture):
    model_type = "smolvlm"
    model_class = SmolVLMForConditionalGeneration
    placeholder = "<image>"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<end_of_utterance>", pad="<|im_end|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> SmolVLMConfig:
        return SmolVLMConfig(
            vision_config={
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": PIXELS,
                "patch_size": PATCH_PIXELS,
                "initializer_range": 0.2,
            },
            text_config={
                "model_type": "llama",
                "vocab_size": len(tokenizer),
                "hidden_size": 32,
                "intermediate_size": 40,
                "num_hidden_layers": num_layers,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": window,
                "initializer_range": 0.2,
                "bos_token_id": None,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
            },
            image_token_id=tokenizer.get_vocab()[self.placeholder],
            scale_factor=SCALE,
        )

    def settings(self) -> dict[str, Any]:
        return {
            "size": {"longest_edge": 4 * PIXELS},
            "max_image_size": {"longest_edge": PIXELS},
            "resample": 1,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        return num_frames * TOKENS_PER_FRAME

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        """Both resizings of the processor go to the tower's size here."""
        settings = self.settings() | {"size": {"height": PIXELS, "width": PIXELS}, "do_image_splitting": False}
        processor: Any = SmolVLMImageProcessorPil(**settings)
        pixels = processor([list(frames)], return_tensors="pt")["pixel_values"]
        return stock.model.get_image_features(pixels).pooler_output[0]

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        times = list(frame_seconds or [2.0 * index for index in range(len(clip))])
        seconds = [int(time - times[0]) for time in times]  # under a minute here
        mark = "<fake_token_around_image>"
        video = ""
        if len(clip):
            video += f"You are provided the following series of {NUMBERS[len(clip)]} frames from a "
            video += f"0:00:{seconds[-1]:02d} [H:MM:SS] video.\n"
        if num_memory:
            video += f"{mark}<global-img>{self.placeholder * num_memory}{mark}"
        for second, _ in zip(seconds, clip, strict=False):
            video += f"\nFrame from 00:{second:02d}:{mark}<global-img>{self.placeholder * TOKENS_PER_FRAME}{mark}"
        video += "\n\n" if video else ""
        ids = stock.ids(f"<|im_start|>User: {video}{text}<end_of_utterance>\nAssistant:")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        return StockPrompt(ids, places[:num_memory], places[num_memory:])
