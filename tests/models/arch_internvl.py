"""InternVL3 in transformers' own format, as its modelling and processing files have it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from transformers import InternVLConfig, InternVLForConditionalGeneration, PreTrainedTokenizerFast
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\\n' }}"
    "{% elif part['type'] == 'video' %}{{ '<video>\\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PIXELS, PATCH_PIXELS = 24, 4
TOKENS_PER_FRAME = (PIXELS // PATCH_PIXELS // 2) ** 2


class InternVL(Architecture):
    model_type = "internvl"
    model_class = InternVLForConditionalGeneration
    placeholder = "<IMG_CONTEXT>"
    half_dtypes = ("bfloat16",)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<|im_end|>", pad="<|endoftext|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> InternVLConfig:
        return InternVLConfig(
            vision_config={
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": [PIXELS, PIXELS],
                "patch_size": [PATCH_PIXELS, PATCH_PIXELS],
                "initializer_range": 0.2,
            },
            text_config={
                "model_type": "qwen2",
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
            image_seq_length=TOKENS_PER_FRAME,
        )

    def settings(self) -> dict[str, Any]:
        return {
            "size": {"height": PIXELS, "width": PIXELS},
            "crop_to_patches": False,
            "resample": 3,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def write(self, folder: Path, *, seed: int = 0, num_layers: int = 4, window: int = 2048) -> Path:
        """With the settings for videos that some published checkpoints have, which do not fit their tower."""
        super().write(folder, seed=seed, num_layers=num_layers, window=window)
        settings = {"size": {"height": 384, "width": 384}, "image_mean": [0.1] * 3, "image_std": [0.1] * 3}
        (folder / "video_preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
        return folder

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        return num_frames * TOKENS_PER_FRAME

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        pixels = GotOcr2ImageProcessorPil(**self.settings())(list(frames), return_tensors="pt")["pixel_values"]
        return stock.model.get_image_features(pixels).pooler_output.flatten(0, 1)

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        blocks = [f"<img>{self.placeholder * num_memory}</img>"] if num_memory else []
        frame = f"<img>{self.placeholder * TOKENS_PER_FRAME}</img>"
        blocks += [f"Frame{number}: {frame}" for number in range(1, len(clip) + 1)]
        video = "\n".join(blocks) + "\n" if blocks else ""
        ids = stock.ids(f"<|im_start|>user\n{video}{text}<|im_end|>\n<|im_start|>assistant\n")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        return StockPrompt(ids, places[:num_memory], places[num_memory:])
