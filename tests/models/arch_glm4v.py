"""GLM-4.6V-Flash, as transformers' modelling and processing files have it, with its template's switch for thinking."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Glm4vConfig, Glm4vForConditionalGeneration, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = (
    *("<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>"),
    *("<think>", "</think>", "/nothink"),
)
TEMPLATE = (
    "[gMASK]<sop>{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>\\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}{{ '<|begin_of_video|><|video|><|end_of_video|>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '/nothink' }}{% endif %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '\\n<think></think>' }}{% endif %}{% endif %}"
)
START, PAD, END = "<|begin_of_image|>", "<|image|>", "<|end_of_image|>"
PATCH_PIXELS, MERGE, FRAMES_PER_STEP = 4, 2, 2
MAX_TOKENS = 9
GRIDS = {(24, 40): (2, 4), (40, 24): (4, 2), (24, 24): (3, 3), (8, 8): (1, 1)}
"""Rows and columns of tokens of 8 pixels, at most 9 of them, by the frame's height and width: see `FRAME_SIZES`."""


class Glm4v(Architecture):
    model_type = "glm4v"
    model_class: ClassVar[type[PreTrainedModel]] = Glm4vForConditionalGeneration
    placeholder = PAD
    half_dtypes: ClassVar[tuple[str, ...]] = ("bfloat16",)
    turn_end = "<|user|>"
    processor_class = "Glm46VProcessor"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<|endoftext|>", pad="<|endoftext|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        return Glm4vConfig(
            vision_config=tower_sizes(),
            text_config=decoder_sizes(tokenizer, num_layers, window),
            **token_ids(tokenizer),
        )

    def settings(self) -> dict[str, Any]:
        return {
            "size": {"shortest_edge": 1, "longest_edge": MAX_TOKENS * (PATCH_PIXELS * MERGE) ** 2},
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
            "processor_class": self.processor_class,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        rows, columns = GRIDS[height, width]
        return -(-num_frames // FRAMES_PER_STEP) * rows * columns

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        """The image processor repeats a frame to fill a step; here each place of a step is taken from its own frame."""
        rows, columns = GRIDS[frames[0].shape[:2]]
        size = (columns * MERGE * PATCH_PIXELS, rows * MERGE * PATCH_PIXELS)
        pictures = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames]
        pictures += pictures[-1:] * (len(frames) % 2)
        settings: dict[str, Any] = {
            "do_resize": False,
            "patch_size": PATCH_PIXELS,
            "merge_size": MERGE,
            "temporal_patch_size": FRAMES_PER_STEP,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }
        processor: Any = Glm46VImageProcessorPil(**settings)
        patches = processor(pictures, return_tensors="pt")["pixel_values"]
        parts = patches.view(len(pictures), rows * columns * MERGE**2, 3, FRAMES_PER_STEP, -1)
        steps = torch.stack([parts[0::2, :, :, 0], parts[1::2, :, :, 1]], dim=3).flatten(0, 1).flatten(1)
        grid = torch.tensor([[len(pictures) // 2, rows * MERGE, columns * MERGE]])
        return torch.cat(stock.model.get_video_features(steps, grid).pooler_output)

    def time(self, seconds: float) -> str:
        """What stands behind a step."""
        return f"{seconds:.1f} seconds"

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
        video = f"{START}{PAD * num_memory}{END}" if num_memory else ""
        for step in range(0, len(clip), FRAMES_PER_STEP):
            video += f"{START}{PAD * rows * columns}{END}{self.time(times[step] - times[0])}"
        if video:
            video = f"<|begin_of_video|>{video}<|end_of_video|>"
        ids = stock.ids(f"[gMASK]<sop><|user|>\n{video}{text}/nothink<|assistant|>\n<think></think>")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        shown = set(places[num_memory:])
        triples: list[tuple[int, int, int]] = []
        here = 0
        while len(triples) < len(ids):
            if len(triples) in shown:
                triples += [(here, here + row, here + column) for row in range(rows) for column in range(columns)]
                here += max(rows, columns)
            else:
                triples.append((here, here, here))
                here += 1
        return StockPrompt(ids, places[:num_memory], places[num_memory:], torch.tensor(triples).T)


def tower_sizes() -> dict[str, Any]:
    return {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 64,
        "image_size": 4 * PATCH_PIXELS,
        "patch_size": PATCH_PIXELS,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": FRAMES_PER_STEP,
        "initializer_range": 0.2,
    }


def decoder_sizes(tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1]}
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 48,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": window,
        "initializer_range": 0.2,
        "rope_parameters": rope,
        "pad_token_id": tokenizer.pad_token_id,
    }


def token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    vocabulary = tokenizer.get_vocab()
    return {f"{name}_token_id": vocabulary[f"<|{name}|>"] for name in ("image", "video")} | {
        f"{kind}_{edge}_token_id": vocabulary[f"<|{mark}_of_{kind}|>"]
        for kind in ("image", "video")
        for edge, mark in (("start", "begin"), ("end", "end"))
    }
