"""Qwen3-VL with experts, as transformers' modelling file has it: only the decoder's feed-forward part differs."""

from typing import Any

from transformers import PreTrainedTokenizerFast, Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

from tests.models.arch_qwen3_vl import Qwen3VL, decoder_sizes, token_ids, tower_sizes


class Qwen3VLMoe(Qwen3VL):
    model_type = "qwen3_vl_moe"
    model_class = Qwen3VLMoeForConditionalGeneration

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        experts = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
        return Qwen3VLMoeConfig(
            vision_config=tower_sizes() | {"deepstack_visual_indexes": [0, 1]},
            text_config=decoder_sizes(tokenizer, num_layers, window) | experts,
            **token_ids(tokenizer),
        )
