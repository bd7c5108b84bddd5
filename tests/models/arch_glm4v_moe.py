"""GLM-4.5V, as transformers' modelling and processing files have it: times in whole seconds, a mixture of experts."""

from typing import Any

from transformers import Glm4vMoeConfig, Glm4vMoeForConditionalGeneration, PreTrainedTokenizerFast

from tests.models.arch_glm4v import Glm4v, decoder_sizes, token_ids, tower_sizes


class Glm4vMoe(Glm4v):
    model_type = "glm4v_moe"
    model_class = Glm4vMoeForConditionalGeneration
    half_dtypes = ("bfloat16", "float16")
    processor_class = "Glm4vProcessor"

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        experts = {
            "moe_intermediate_size": 24,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
        }
        return Glm4vMoeConfig(
            vision_config=tower_sizes(),
            text_config=decoder_sizes(tokenizer, num_layers, window) | experts,
            **token_ids(tokenizer),
        )

    def time(self, seconds: float) -> str:
        return str(int(seconds))
