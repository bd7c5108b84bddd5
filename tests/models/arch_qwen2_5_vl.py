"""Qwen2.5-VL, as transformers' modelling and processing files have it."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PATCH_PIXELS, MERGE, FRAMES_PER_STEP = 4, 2, 2
TOKENS_PER_SECOND = 3
MAX_TOKENS = 9
GRIDS = {(24, 40): (2, 4), (40, 24): (4, 2), (24, 24): (3, 3), (8, 8): (1, 1)}
"""Rows and columns of tokens of 8 pixels, at most 9 of them, by the frame's height and width: see `FRAME_SIZES`."""


class Qwen25VL(Architecture):
    model_type = "qwen2_5_vl"
    model_class: ClassVar[type[PreTrainedModel]] = Qwen2_5_VLForConditionalGeneration
    placeholder = "<|video_pad|>"
    half_dtypes = ("bfloat16",)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<|im_end|>", pad="<|endoftext|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        ids = {name: tokenizer.get_vocab()[f"<|{name}|>"] for name in ("image_pad", "video_pad")}
        return Qwen2_5_VLConfig(
            vision_config={
                "depth": 2,
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_heads": 2,
                "out_hidden_size": 32,
                "patch_size": PATCH_PIXELS,
                "spatial_merge_size": MERGE,
                "temporal_patch_size": FRAMES_PER_STEP,
                "tokens_per_second": TOKENS_PER_SECOND,
                "window_size": 16,
                "fullatt_block_indexes": [1],
                "initializer_range": 0.2,
            },
            text_config=decoder_sizes(tokenizer, num_layers, window),
            image_token_id=ids["image_pad"],
            video_token_id=ids["video_pad"],
            vision_start_token_id=tokenizer.get_vocab()["<|vision_start|>"],
            vision_end_token_id=tokenizer.get_vocab()["<|vision_end|>"],
        )

    def settings(self) -> dict[str, Any]:
        return {
            "min_pixels": 1,
            "max_pixels": MAX_TOKENS * (PATCH_PIXELS * MERGE) ** 2,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        rows, columns = GRIDS[height, width]
        return -(-num_frames // FRAMES_PER_STEP) * rows * columns

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        return self.stock_video(stock, frames).pooler_output[0]

    def stock_video(self, stock: Stock, frames: Sequence[np.ndarray]) -> Any:
        """The image processor repeats a frame to fill a step; here each place of a step is taken from its own frame."""
        rows, columns = GRIDS[frames[0].shape[:2]]
        size = (columns * MERGE * PATCH_PIXELS, rows * MERGE * PATCH_PIXELS)
        pictures = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames]
        pictures += pictures[-1:] * (len(frames) % 2)
        processor = Qwen2VLImageProcessorPil(
            do_resize=False,
            patch_size=PATCH_PIXELS,
            merge_size=MERGE,
            temporal_patch_size=FRAMES_PER_STEP,
            image_mean=IMAGE_MEAN,
            image_std=IMAGE_STD,
        )
        patches = processor(pictures, return_tensors="pt")["pixel_values"]
        parts = patches.view(len(pictures), rows * columns * MERGE**2, 3, FRAMES_PER_STEP, -1)
        steps = torch.stack([parts[0::2, :, :, 0], parts[1::2, :, :, 1]], dim=3).flatten(0, 1).flatten(1)
        grid = torch.tensor([[len(pictures) // 2, rows * MERGE, columns * MERGE]])
        return stock.model.get_video_features(steps, grid)

    def positions_per_step(self, seconds_per_frame: float) -> float:
        return TOKENS_PER_SECOND * seconds_per_frame * FRAMES_PER_STEP

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        rows, columns = GRIDS[clip[0].shape[:2]] if len(clip) else (0, 0)
        num_steps = -(-len(clip) // FRAMES_PER_STEP)
        num_visual = num_memory + num_steps * rows * columns
        video = f"<|vision_start|>{'<|video_pad|>' * num_visual}<|vision_end|>" if num_visual else ""
        ids = stock.ids(
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            f"<|im_start|>user\n{video}{text}<|im_end|>\n<|im_start|>assistant\n"
        )
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        spacing = 2.0
        if frame_seconds is not None and len(frame_seconds) > 1:
            spacing = (frame_seconds[-1] - frame_seconds[0]) / (len(frame_seconds) - 1)
        interval = self.positions_per_step(spacing)
        start = places[num_memory] if num_visual > num_memory else len(ids)  # all before stands as text does
        grid = [
            (start + int(step * interval), start + row, start + column)
            for step in range(num_steps)
            for row in range(rows)
            for column in range(columns)
        ]
        after = max((max(place) for place in grid), default=start - 1) + 1
        num_after = len(ids) - start - len(grid)
        triples = [(place,) * 3 for place in range(start)] + grid
        triples += [(place,) * 3 for place in range(after, after + num_after)]
        return StockPrompt(ids, places[:num_memory], places[num_memory:], torch.tensor(triples).T)


def decoder_sizes(tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 40,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": window,
        "initializer_range": 0.2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 1, 1]},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
