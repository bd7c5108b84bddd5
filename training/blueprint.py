"""Configuration of the first bundled model: a small SigLIP tower and a small Qwen2 decoder inside LLaVA-OneVision."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    Qwen2Config,
    SiglipVisionConfig,
)

from keepsight.toyworld.tokenizer import build_tokenizer, save_tokenizer

PICTURE_PIXELS = 96
PATCH_PIXELS = 16
CONTEXT_WINDOW_TOKENS = 1024
MODEL_DIM = 256
PIXEL_MEAN = PIXEL_STD = 0.5
"""Pixels are scaled as `(value / 255 - 0.5) / 0.5`, SigLIP's convention."""


def build_config() -> LlavaOnevisionConfig:
    """6 x 6 patches of 16 pixels a frame, pooled to 3 x 3 visual tokens; a 6-layer decoder, 8 heads on 4 key heads."""
    tokenizer = build_tokenizer()
    vision = SiglipVisionConfig(
        hidden_size=160,
        intermediate_size=480,
        num_hidden_layers=4,
        num_attention_heads=5,
        image_size=PICTURE_PIXELS,
        patch_size=PATCH_PIXELS,
        vision_use_head=False,
    )
    text = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=MODEL_DIM,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT_WINDOW_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.get_vocab()["<image>"],
        video_token_index=tokenizer.get_vocab()["<video>"],
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_grid_pinpoints=[[PICTURE_PIXELS, PICTURE_PIXELS]],
        tie_word_embeddings=True,
    )


def build_model(seed: int = 0) -> LlavaOnevisionForConditionalGeneration:
    """A model with random weights, deterministic by seed."""
    torch.manual_seed(seed)
    return LlavaOnevisionForConditionalGeneration(build_config())


def save_bundle(model: LlavaOnevisionForConditionalGeneration, folder: Path) -> None:
    """Save model (float16), tokenizer, chat template and preprocessor settings in Hugging Face format."""
    settings = {
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "size": {"height": PICTURE_PIXELS, "width": PICTURE_PIXELS},
    }
    write_bundle(model, LlavaOnevisionForConditionalGeneration(build_config()), folder, settings)
    save_tokenizer(folder)


def write_bundle(model: PreTrainedModel, half: PreTrainedModel, folder: Path, settings: Mapping[str, Any]) -> None:
    """Save a model in float16, with its preprocessor settings.

    Args:
        model: model to save; keeps its dtype.
        half: model of the same shape, which receives the weights.
        folder: target folder, created if missing.
        settings: preprocessor settings besides those shared by all bundled models.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half.load_state_dict({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    half.half().save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # saved readable by the owner only, but packaged
    preprocessor = {
        **settings,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "image_mean": [PIXEL_MEAN] * 3,
        "image_std": [PIXEL_STD] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n")
