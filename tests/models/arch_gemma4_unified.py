"""Gemma 4 12B, as transformers' modelling and processing files have it: patches are cut by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration, PreTrainedTokenizerFast

from tests.models.arch_gemma4 import GRIDS, PATCH_PIXELS, POOLED, TOKEN_PIXELS, Gemma4, token_ids
from tests.models.architecture import Stock


class Gemma4Unified(Gemma4):
    model_type = "gemma4_unified"
    model_class = Gemma4UnifiedForConditionalGeneration

    def decoder_sizes(self, num_layers: int) -> dict[str, Any]:
        foreign = ("hidden_size_per_layer_input", "num_kv_shared_layers", "use_double_wide_mlp")
        return {name: size for name, size in super().decoder_sizes(num_layers).items() if name not in foreign}

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        return Gemma4UnifiedConfig(
            vision_config={
                "patch_size": PATCH_PIXELS,
                "pooling_kernel_size": POOLED,
                "mm_embed_dim": 16,
                "mm_posemb_size": 64,
                "output_proj_dims": 16,
                "initializer_range": 0.2,
            },
            text_config=self.text_sizes(tokenizer, num_layers, window),
            **token_ids(tokenizer),
            initializer_range=0.2,
        )

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        rows, columns = GRIDS[frames[0].shape[:2]]
        size = (columns * TOKEN_PIXELS, rows * TOKEN_PIXELS)
        patches = []
        for frame in frames:
            picture = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) / 255
            cut = [
                picture[y : y + TOKEN_PIXELS, x : x + TOKEN_PIXELS].reshape(-1)
                for y in range(0, size[1], TOKEN_PIXELS)
                for x in range(0, size[0], TOKEN_PIXELS)
            ]
            patches.append(np.stack(cut))
        places = torch.tensor([(x, y) for y in range(rows) for x in range(columns)]).expand(len(frames), -1, -1)
        pixels = torch.tensor(np.stack(patches), dtype=torch.float32)
        features = stock.model.model.get_video_features(pixels, places, torch.tensor([len(frames)]))
        return torch.cat(features.pooler_output)
