"""Gemma 3, as transformers' modelling and processing files have it; its masks are written out by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, PreTrainedTokenizerFast
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

from tests.models.architecture import IMAGE_MEAN, IMAGE_STD, Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = (
    *("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
    *("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
)
TEMPLATE = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
    "{{ '<start_of_turn>' + role + '\\n' }}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{ '<start_of_image>' }}"
    "{%- elif part['type'] == 'text' -%}{{ part['text'] | trim }}{%- endif -%}{%- endfor -%}"
    "{{ '<end_of_turn>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}"
)
GRID, POOLED, PATCH_PIXELS = 6, 2, 4
TOKENS = POOLED**2
WINDOW = 11


class Gemma3(Architecture):
    model_type = "gemma3"
    model_class = Gemma3ForConditionalGeneration
    placeholder = "<image_soft_token>"
    half_dtypes = ("bfloat16",)
    turn_end = "<end_of_turn>"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<eos>", pad="<pad>", bos="<bos>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Gemma3Config:
        kinds = ["full_attention" if layer % 2 else "sliding_attention" for layer in range(num_layers)]
        vocabulary = tokenizer.get_vocab()
        return Gemma3Config(
            vision_config={
                "model_type": "siglip_vision_model",
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": GRID * PATCH_PIXELS,
                "patch_size": PATCH_PIXELS,
                "vision_use_head": False,
            },
            text_config={
                "vocab_size": len(tokenizer),
                "hidden_size": 32,
                "intermediate_size": 40,
                "num_hidden_layers": num_layers,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 8,
                "query_pre_attn_scalar": 12,
                "layer_types": kinds,
                "sliding_window": WINDOW,
                "max_position_embeddings": window,
                "initializer_range": 0.2,
                "bos_token_id": tokenizer.bos_token_id,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
            },
            mm_tokens_per_image=TOKENS,
            boi_token_index=vocabulary["<start_of_image>"],
            eoi_token_index=vocabulary["<end_of_image>"],
            image_token_index=vocabulary["<image_soft_token>"],
            initializer_range=0.2,
        )

    def settings(self) -> dict[str, Any]:
        side = GRID * PATCH_PIXELS
        return {
            "size": {"height": side, "width": side},
            "resample": 2,
            "image_mean": IMAGE_MEAN,
            "image_std": IMAGE_STD,
        }

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        return num_frames * TOKENS

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        processor = Gemma3ImageProcessorPil(**self.settings())
        pixels = processor(list(frames), return_tensors="pt")["pixel_values"]
        return stock.model.get_image_features(pixels).pooler_output.flatten(0, 1)

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        remembered = [min(TOKENS, num_memory - start) for start in range(0, num_memory, TOKENS)]
        pictures = "".join(
            f"\n\n<start_of_image>{'<image_soft_token>' * size}<end_of_image>\n\n"
            for size in [*remembered, *[TOKENS] * len(clip)]
        )
        ids = stock.ids(f"<bos><start_of_turn>user\n{pictures}{text}<end_of_turn>\n<start_of_turn>model\n")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        blocks: list[list[int]] = []
        for place in places:
            if blocks and place == blocks[-1][-1] + 1:
                blocks[-1].append(place)
            else:
                blocks.append([place])
        return StockPrompt(ids, places[:num_memory], places[num_memory:], blocks=tuple(map(tuple, blocks)))

    def stock_mask(self, stock: Stock, prompt: StockPrompt, length: int) -> Any:
        """The tokens of a picture see each other; the sliding layers look back over the window, themselves included."""
        seen = torch.ones(length, length, dtype=torch.bool).tril()
        for block in prompt.blocks:
            seen[block[0] : block[-1] + 1, block[0] : block[-1] + 1] = True
        distance = torch.arange(length).unsqueeze(1) - torch.arange(length)
        masks = {"full_attention": seen, "sliding_attention": seen & (distance < WINDOW)}
        lowest = torch.finfo(stock.model.dtype).min
        return {kind: (~mask).to(stock.model.dtype).mul(lowest)[None, None] for kind, mask in masks.items()}
