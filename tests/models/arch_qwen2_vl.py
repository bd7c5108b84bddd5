"""Qwen2-VL, as transformers' modelling file has it: another tower than Qwen2.5-VL's, and steps one position apart."""

from typing import Any, ClassVar

from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen2VLConfig, Qwen2VLForConditionalGeneration

from tests.models.arch_qwen2_5_vl import FRAMES_PER_STEP, MERGE, PATCH_PIXELS, Qwen25VL, decoder_sizes


class Qwen2VL(Qwen25VL):
    model_type = "qwen2_vl"
    model_class: ClassVar[type[PreTrainedModel]] = Qwen2VLForConditionalGeneration

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        return Qwen2VLConfig(
            vision_config={
                "depth": 2,
                "embed_dim": 16,
                "hidden_size": 32,
                "mlp_ratio": 2,
                "num_heads": 2,
                "patch_size": PATCH_PIXELS,
                "spatial_merge_size": MERGE,
                "temporal_patch_size": FRAMES_PER_STEP,
                "initializer_range": 0.2,
            },
            text_config=decoder_sizes(tokenizer, num_layers, window),
            image_token_id=tokenizer.get_vocab()["<|image_pad|>"],
            video_token_id=tokenizer.get_vocab()["<|video_pad|>"],
            vision_start_token_id=tokenizer.get_vocab()["<|vision_start|>"],
            vision_end_token_id=tokenizer.get_vocab()["<|vision_end|>"],
        )

    def positions_per_step(self, seconds_per_frame: float) -> float:
        return 1
