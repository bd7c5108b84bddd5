"""Qwen3.5 with experts, as transformers' modelling file has it: only the decoder's feed-forward part differs."""

from typing import Any, ClassVar

from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3_5MoeConfig,
    Qwen3_5MoeForConditionalGeneration,
)

from tests.models.arch_qwen3_5 import Qwen35, hybrid_sizes
from tests.models.arch_qwen3_vl import token_ids, tower_sizes


class Qwen35Moe(Qwen35):
    model_type = "qwen3_5_moe"
    model_class: ClassVar[type[PreTrainedModel]] = Qwen3_5MoeForConditionalGeneration

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        sizes = hybrid_sizes(tokenizer, num_layers, window)
        del sizes["intermediate_size"]
        experts = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
        return Qwen3_5MoeConfig(
            vision_config=tower_sizes(),
            text_config=sizes | experts | {"shared_expert_intermediate_size": 16},
            **token_ids(tokenizer),
        )
