"""Gemma 4, as transformers' modelling and processing files have it; masks and embeddings per layer are written out.

The configuration has at once what the published models have in turn: embeddings per layer and shared keys of the small
ones, images in both directions and keys as values of the large ones.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Gemma4Config, Gemma4ForConditionalGeneration, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.gemma4.image_processing_pil_gemma4 import convert_image_to_patches

from tests.models.architecture import Architecture, Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

CONTROLS = (
    *("<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>"),
    *("<|image>", "<|image|>", "<image|>", "<|video|>", "<|audio|>"),
)
TEMPLATE = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
    "{{ '<|turn>' + role + '\\n' }}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'text' -%}{{ part['text'] | trim }}"
    "{%- elif part['type'] == 'image' -%}{{ '<|image|>' }}"
    "{%- elif part['type'] == 'video' -%}{{ '<|video|>' }}{%- endif -%}{%- endfor -%}"
    "{{ '<turn|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|turn>model\\n' }}"
    "{%- if not enable_thinking | default(false) -%}{{ '<|channel>thought\\n<channel|>' }}{%- endif -%}{%- endif -%}"
)
PATCH_PIXELS, POOLED = 4, 3
TOKEN_PIXELS = PATCH_PIXELS * POOLED
BUDGET = 7
GRIDS = {(24, 40): (2, 3), (40, 24): (3, 2), (24, 24): (2, 2), (8, 8): (2, 2)}
"""Rows and columns of tokens of 12 pixels, at most 7 of them, by the frame's height and width: see `FRAME_SIZES`."""
WINDOW = 11
HIDDEN, PER_LAYER, CAP = 32, 6, 3.0
PAD = "<|video|>"


class Gemma4(Architecture):
    model_type = "gemma4"
    model_class: ClassVar[type[PreTrainedModel]] = Gemma4ForConditionalGeneration
    placeholder = PAD
    half_dtypes = ("bfloat16",)
    turn_end = "<turn|>"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<eos>", pad="<pad>", bos="<bos>")

    def decoder_sizes(self, num_layers: int) -> dict[str, Any]:
        """What differs between the published models."""
        kinds = ["full_attention" if layer % 2 else "sliding_attention" for layer in range(num_layers)]
        kinds[-1] = "full_attention"
        return {
            "layer_types": kinds,
            "hidden_size_per_layer_input": PER_LAYER,
            "num_kv_shared_layers": 2 if num_layers > 3 else 0,
            "use_double_wide_mlp": True,
            "use_bidirectional_attention": "vision",
            "attention_k_eq_v": True,
            "num_global_key_value_heads": 1,
        }

    def text_sizes(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> dict[str, Any]:
        return {
            "vocab_size": len(tokenizer),
            "vocab_size_per_layer_input": len(tokenizer),
            "hidden_size": HIDDEN,
            "intermediate_size": 40,
            "num_hidden_layers": num_layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "global_head_dim": 12,
            "sliding_window": WINDOW,
            "final_logit_softcapping": CAP,
            "max_position_embeddings": window,
            "initializer_range": 0.2,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **self.decoder_sizes(num_layers),
        }

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Gemma4Config:
        return Gemma4Config(
            vision_config={
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "head_dim": 8,
                "patch_size": PATCH_PIXELS,
                "pooling_kernel_size": POOLED,
                "position_embedding_size": 64,
                "initializer_range": 0.2,
            },
            text_config=self.text_sizes(tokenizer, num_layers, window),
            **token_ids(tokenizer),
            initializer_range=0.2,
        )

    def settings(self) -> dict[str, Any]:
        return {"max_soft_tokens": BUDGET, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "resample": 3}

    def write(self, folder: Path, *, seed: int = 0, num_layers: int = 4, window: int = 2048) -> Path:
        """Settings for images and videos stand in one file, with different budgets."""
        super().write(folder, seed=seed, num_layers=num_layers, window=window)
        (folder / "preprocessor_config.json").unlink()
        both = {"image_processor": {"max_soft_tokens": 280}, "video_processor": self.settings()}
        (folder / "processor_config.json").write_text(json.dumps(both), encoding="utf-8")
        return folder

    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        rows, columns = GRIDS[height, width]
        return num_frames * rows * columns

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        """Frames are resized by hand: the image processor knows only published budgets."""
        rows, columns = GRIDS[frames[0].shape[:2]]
        size = (columns * TOKEN_PIXELS, rows * TOKEN_PIXELS)
        pictures = [np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames]
        patches = [convert_image_to_patches(picture.transpose(2, 0, 1) / 255, PATCH_PIXELS) for picture in pictures]
        pixels = torch.tensor(np.stack(patches), dtype=torch.float32)
        places = torch.tensor([(x, y) for y in range(rows * POOLED) for x in range(columns * POOLED)])
        everywhere = places.expand(len(frames), -1, -1)
        features = stock.model.model.get_video_features(pixels, everywhere, torch.tensor([len(frames)]))
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
        pictures = [
            f"<|image>{PAD * min(BUDGET, num_memory - start)}<image|>" for start in range(0, num_memory, BUDGET)
        ] + [
            f"00:{math.floor(second - times[0]):02d} <|image>{PAD * rows * columns}<image|>"
            for second in times[: len(clip)]
        ]
        ids = stock.ids(
            f"<bos><|turn>user\n{' '.join(pictures)}{text}<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
        )
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        blocks: list[list[int]] = []
        for place in places:
            if blocks and place == blocks[-1][-1] + 1:
                blocks[-1].append(place)
            else:
                blocks.append([place])
        return StockPrompt(ids, places[:num_memory], places[num_memory:], blocks=tuple(map(tuple, blocks)))

    def stock_mask(self, stock: Stock, prompt: StockPrompt, length: int) -> Any:
        """In the layers with a window, the tokens of a picture see each other; elsewhere they see what was before."""
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        seen = causal.clone()
        if stock.model.config.text_config.use_bidirectional_attention == "vision":
            for block in prompt.blocks:
                seen[block[0] : block[-1] + 1, block[0] : block[-1] + 1] = True
        distance = torch.arange(length).unsqueeze(1) - torch.arange(length)
        masks = {"full_attention": causal, "sliding_attention": seen & (distance < WINDOW)}
        lowest = torch.finfo(stock.model.dtype).min
        return {kind: (~mask).to(stock.model.dtype).mul(lowest)[None, None] for kind, mask in masks.items()}

    def stock_forward(self, stock: Stock, prompt: StockPrompt, visual: Tensor, embeds: Tensor, **inputs: Any) -> Any:
        """Embeddings per layer are looked up by hand: the padding token's for pictures."""
        config = stock.model.config.text_config
        if width := getattr(config, "hidden_size_per_layer_input", 0):
            table = stock.embed(range(config.vocab_size))
            reply = [int((table == row).all(dim=1).nonzero()) for row in embeds[0, len(prompt.ids) :]]
            ids = [config.pad_token_id if token == stock.placeholder_id else token for token in [*prompt.ids, *reply]]
            rows = stock.model.model.language_model.embed_tokens_per_layer.weight[ids] * width**0.5
            inputs["per_layer_inputs"] = rows.view(1, len(ids), config.num_hidden_layers, width)
        return stock.model(inputs_embeds=embeds, **inputs)


def token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    vocabulary = tokenizer.get_vocab()
    names = {"boi": "<|image>", "eoi": "<image|>", "image": "<|image|>", "video": PAD, "audio": "<|audio|>"}
    return {f"{name}_token_id": vocabulary[token] for name, token in names.items()}
