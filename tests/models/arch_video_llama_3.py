"""VideoLLaMA 3, as transformers' modelling and processing files have it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerFast, VideoLlama3Config, VideoLlama3ForConditionalGeneration
from transformers.models.video_llama_3.image_processing_pil_video_llama_3 import VideoLlama3ImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|image_pad|>\\n' }}"
    "{% elif part['type'] == 'video' %}{{ '<|video_pad|>\\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PAD = "<|video_pad|>"
PATCH_PIXELS, MERGE = 4, 2
MAX_TOKENS = 9
GRIDS = {(24, 40): (2, 4), (40, 24): (4, 2), (24, 24): (3, 3), (8, 8): (1, 1)}
"""Rows and columns of tokens of 8 pixels, at most 9 of them, by the frame's height and width: see `FRAME_SIZES`."""


class VideoLlama3(Architecture):
    model_type = "video_llama_3"
    model_class = VideoLlama3ForConditionalGeneration
    placeholder = PAD

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<|im_end|>", pad="<|endoftext|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        return VideoLlama3Config(
            vision_config={
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "patch_size": PATCH_PIXELS,
                "initializer_range": 0.2,
            },
            text_config={
                "model_type": "qwen2",
                "vocab_size": len(tokenizer),
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": num_layers,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": window,
                "initializer_range": 0.2,
                "bos_token_id": None,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
            },
            image_token_id=tokenizer.get_vocab()["<|image_pad|>"],
            video_token_id=tokenizer.get_vocab()[PAD],
        )

    def settings(self) -> dict[str, Any]:
        """Of images, which merge no patches."""
        return {
            "max_pixels": MAX_TOKENS * (PATCH_PIXELS * MERGE) ** 2,
            "merge_size": 1,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        rows, columns = GRIDS[height, width]
        return num_frames * rows * columns

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        """Each frame goes through the image processor with the merge size of videos."""
        rows, columns = GRIDS[frames[0].shape[:2]]
        size = (columns * MERGE * PATCH_PIXELS, rows * MERGE * PATCH_PIXELS)
        pictures = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames]
        settings: dict[str, Any] = {
            "do_resize": False,
            "patch_size": PATCH_PIXELS,
            "merge_size": MERGE,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }
        processor: Any = VideoLlama3ImageProcessorPil(**settings)
        made = processor(pictures, return_tensors="pt")
        features = stock.model.model.get_image_features(
            made["pixel_values"], made["image_grid_thw"], made["image_merge_sizes"]
        )
        return torch.cat(features.pooler_output)

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        rows, columns = GRIDS[clip[0].shape[:2]] if len(clip) else (0, 0)
        times = list(frame_seconds or [2.0 * index for index in range(len(clip))])
        parts = [PAD * num_memory] if num_memory else []
        parts += [f"Time {second - times[0]:.1f}s:{PAD * rows * columns}" for second in times[: len(clip)]]
        video = ",".join(parts) + "\n" if parts else ""
        ids = stock.ids(f"<|im_start|>user\n{video}{text}<|im_end|>\n<|im_start|>assistant\n")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        return StockPrompt(ids, places[:num_memory], places[num_memory:])
