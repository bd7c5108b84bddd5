"""Configuration of the second bundled model: a small tower and the first one's decoder in Qwen2.5-VL (arXiv
2502.13923).

The decoder's weights have the first one's shapes (`blueprint.py`), so it can start from them: M-RoPE equals plain
rotary positions on text. Two frames make one temporal step of 3 x 3 visual tokens.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from keepsight.models.prompting.positions import GridRule, PieceShape, prompt_positions
from keepsight.models.vision.patches import PatchRule
from keepsight.toyworld.tokenizer import build_tokenizer, save_tokenizer
from training.blueprint import (
    CONTEXT_WINDOW_TOKENS,
    MODEL_DIM,
    PATCH_PIXELS,
    PICTURE_PIXELS,
    write_bundle,
)

FRAMES_PER_STEP = 2
MERGE = 2
"""Patches per side of a visual token."""
TOKENS_PER_SECOND = 4
"""Positions on the time axis per second; at half a frame a second, steps are 16 positions apart."""
SIDE = PICTURE_PIXELS // PATCH_PIXELS // MERGE
"""Visual tokens per side of a frame."""
PATCHES = PatchRule(PATCH_PIXELS, MERGE, FRAMES_PER_STEP, max_tokens=SIDE**2)
MROPE_SECTION = [8, 4, 4]
"""Rotations for time, row and column. Time has the fast ones, with which the first decoder distinguished frames."""


def build_config() -> Qwen2_5_VLConfig:
    """6 x 6 patches of 16 pixels a step of two frames, merged to 3 x 3 tokens; the decoder of `blueprint.py`."""
    tokenizer = build_tokenizer(vision_tokens=True)
    ids = tokenizer.get_vocab()
    vision = {
        "depth": 4,
        "hidden_size": 160,
        "intermediate_size": 320,
        "num_heads": 5,
        "patch_size": PATCH_PIXELS,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": FRAMES_PER_STEP,
        "tokens_per_second": TOKENS_PER_SECOND,
        "out_hidden_size": MODEL_DIM,
        "fullatt_block_indexes": [0, 1, 2, 3],  # a frame fits in one window
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": MODEL_DIM,
        "intermediate_size": 512,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": CONTEXT_WINDOW_TOKENS,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": MROPE_SECTION},
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return Qwen2_5_VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_model(seed: int = 0) -> Qwen2_5_VLForConditionalGeneration:
    """A model with random weights, deterministic by seed."""
    torch.manual_seed(seed)
    return Qwen2_5_VLForConditionalGeneration(build_config())


def visual_tokens(model: Qwen2_5_VLForConditionalGeneration, pixels: Tensor) -> Tensor:
    """Visual tokens of frames that fill whole steps, `[num_steps, tokens_per_step, dim]`."""
    side = pixels.shape[-1] // PATCH_PIXELS
    num_steps = len(pixels) // FRAMES_PER_STEP
    grid = torch.tensor([[num_steps, side, side]])
    tokens: Tensor = model.model.visual(PATCHES.flatten(pixels), grid_thw=grid).pooler_output
    steps: Tensor = tokens.unflatten(0, (num_steps, -1))
    return steps


def prefix_positions(num_before: int, clip: Sequence[int], interval: int, num_after: int) -> Tensor:
    """Positions `[3, length]` of a prompt's tokens: text and memory, a clip `[num_steps, tokens_per_step]`, text."""
    side = round(clip[1] ** 0.5)
    pieces = [PieceShape("text", num_before), PieceShape("frames", clip[0] * clip[1]), PieceShape("text", num_after)]
    positions: Any = prompt_positions(pieces, None, GridRule(side, side, interval), torch.device("cpu"))
    on_grid: Tensor = positions
    return on_grid


def save_bundle(model: Qwen2_5_VLForConditionalGeneration, folder: Path) -> None:
    """Save model (float16), tokenizer, chat template and preprocessor settings in Hugging Face format."""
    pixels = PICTURE_PIXELS**2
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "size": {"shortest_edge": pixels, "longest_edge": pixels},
        "min_pixels": pixels,
        "max_pixels": pixels,
        "patch_size": PATCH_PIXELS,
        "temporal_patch_size": FRAMES_PER_STEP,
        "merge_size": MERGE,
    }
    write_bundle(model, Qwen2_5_VLForConditionalGeneration(build_config()), folder, settings)
    save_tokenizer(folder, vision_tokens=True)
